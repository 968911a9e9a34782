export function startAnatomy(..._a: unknown[]): void {}
export function dropOnAnatomy(..._a: unknown[]): void {}
