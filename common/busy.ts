/** CPU of this thread so far, in seconds: what a step takes is this, not the time that passes on a machine with others on it. */
export function cpu_s(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1e6
}
