// Files that other sites have kept, by their SHA-256: Cross-Origin Storage (WICG), where the browser has it.

interface Hash {
  algorithm: string;
  value: string;
}
interface CrossOriginStorage {
  requestFileHandles(hashes: Hash[], options?: { create?: boolean }): Promise<FileSystemFileHandle[]>;
}

const storage = () => (globalThis.navigator as { crossOriginStorage?: CrossOriginStorage } | undefined)?.crossOriginStorage;

async function handleOf(sha256: string, create: boolean): Promise<FileSystemFileHandle | undefined> {
  const hash = { algorithm: "SHA-256", value: sha256.toLowerCase() };
  const [handle] = (await storage()?.requestFileHandles([hash], ...(create ? [{ create }] : []))) ?? [];
  return handle;
}

/** `undefined` where it is not there, or the user does not want it. */
export async function takeShared(sha256: string): Promise<Blob | undefined> {
  try {
    return await (await handleOf(sha256, false))?.getFile();
  } catch {
    return undefined;
  }
}

export async function offerShared(sha256: string, file: Blob): Promise<void> {
  try {
    const stream = await (await handleOf(sha256, true))?.createWritable();
    await stream?.write(file);
    await stream?.close();
  } catch {
    // Not wanted.
  }
}

export const canShare = () => storage() !== undefined;
