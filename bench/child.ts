/** What a measured server's process tells its parent: where it listens, and on demand its processor time in ms. */
export function tellParent(address: string): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1_000);
  });
  process.send?.(address);
}
