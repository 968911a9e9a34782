// How large an image says it is, without decoding it: a file of a few bytes may claim gigabytes.

interface Size {
  width: number;
  height: number;
}

/** Of PNG, JPEG, GIF, WebP and BMP; of anything else, and of what is broken, the decoder will tell. */
export async function sizeInHeader(blob: Blob): Promise<Size | undefined> {
  // JPEG may have a thumbnail and a colour profile before its size.
  const bytes = new DataView(await blob.slice(0, 1 << 20).arrayBuffer());
  try {
    return png(bytes) ?? gif(bytes) ?? bmp(bytes) ?? webp(bytes) ?? jpeg(bytes);
  } catch {
    return undefined; // It ends before it says.
  }
}

const says = (bytes: DataView, at: number, text: string) =>
  [...text].every((letter, place) => bytes.getUint8(at + place) === letter.charCodeAt(0));

function png(bytes: DataView): Size | undefined {
  return says(bytes, 1, "PNG") ? { width: bytes.getUint32(16), height: bytes.getUint32(20) } : undefined;
}

function gif(bytes: DataView): Size | undefined {
  return says(bytes, 0, "GIF8") ? { width: bytes.getUint16(6, true), height: bytes.getUint16(8, true) } : undefined;
}

function bmp(bytes: DataView): Size | undefined {
  if (!says(bytes, 0, "BM")) return undefined;
  if (bytes.getUint32(14, true) < 40) return undefined; // OS/2's, which ends at 65,535 pixels
  // A negative height: rows from the top.
  return { width: bytes.getInt32(18, true), height: Math.abs(bytes.getInt32(22, true)) };
}

function webp(bytes: DataView): Size | undefined {
  if (!says(bytes, 0, "RIFF") || !says(bytes, 8, "WEBPVP8")) return undefined;
  const two = (at: number) => bytes.getUint16(at, true);
  if (says(bytes, 15, "X"))
    return { width: 1 + two(24) + (bytes.getUint8(26) << 16), height: 1 + two(27) + (bytes.getUint8(29) << 16) };
  if (!says(bytes, 15, "L")) return { width: two(26) & 0x3fff, height: two(28) & 0x3fff };
  const both = bytes.getUint32(21, true);
  return { width: 1 + (both & 0x3fff), height: 1 + ((both >> 14) & 0x3fff) };
}

/** The first of its segments that begins a frame. */
function jpeg(bytes: DataView): Size | undefined {
  if (bytes.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; ; at += 2 + bytes.getUint16(at + 2)) {
    if (bytes.getUint8(at) !== 0xff) return undefined;
    while (bytes.getUint8(at + 1) === 0xff) at++; // fill bytes
    const marker = bytes.getUint8(at + 1);
    const beginsFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (beginsFrame) return { width: bytes.getUint16(at + 7), height: bytes.getUint16(at + 5) };
  }
}
