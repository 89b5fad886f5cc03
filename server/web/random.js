// Numbers that nobody can guess, by which two programs know what they mean.

/** 128 bits, as 32 hexadecimal digits. */
export function randomHex() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
