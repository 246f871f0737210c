/** What is to be closed after each test, the last first. */
export function closingAfterEach(): <T extends { close(): Promise<void> | void }>(what: T) => T {
  const open: { close(): Promise<void> | void }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
  return what => {
    open.push(what);
    return what;
  };
}
