/** How much a piece of work computes, whatever else the machine does meanwhile. */

/** Processor time of this process while `work` runs, in milliseconds: the clock on the wall goes on while others have the processor. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
