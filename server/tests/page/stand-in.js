/** Has `value` stand in for `owner[name]` until the test `context` is over. */
export function standIn(context, owner, name, value) {
  const original = Object.getOwnPropertyDescriptor(owner, name);
  // Some of Node.js 18 can't be assigned to.
  Object.defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: true });
  context.after(() => {
    if (original) Object.defineProperty(owner, name, original);
    else delete owner[name];
  });
}
