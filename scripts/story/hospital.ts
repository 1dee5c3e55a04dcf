/** One hospital of the story: its folder, its table, its daemon, and the commands that its people type. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../demo/daemonProcess.ts'
import { consilium, type Telling } from './stage.ts'

export class Hospital extends DaemonProcess {
  readonly folder: string
  /** Where its table lies: outside of the data folder. */
  readonly table: string
  /** Who signs for what this hospital does; nobody has to before somebody was enrolled. */
  signer: Telling['signer']

  constructor(name: string, folder: string, slug: string) {
    super(name, join(folder, slug))
    this.folder = folder
    this.table = `${slug}.csv`
  }

  /** Its name as one word, as references to entries and datasets have it. */
  get short(): string {
    return this.name.replaceAll(' ', '')
  }

  protected answers(): Promise<boolean> {
    return this.asks(['status']).then(
      () => true,
      () => false,
    )
  }

  keepTable(csv: string): Promise<void> {
    return writeFile(join(this.folder, this.table), csv, { mode: 0o600 })
  }

  /** Runs a command for this hospital and shows it. */
  does(args: readonly string[], telling: Partial<Telling> = {}): Promise<string> {
    return consilium(this.name, this.home, args, {
      cwd: this.folder,
      ...(this.signer === undefined ? {} : { signer: this.signer }),
      ...telling,
    })
  }

  /** What a command says with `--json`, not shown. */
  async asks<T>(args: readonly string[], input?: string): Promise<T> {
    const text = await this.does([...args, '--json'], { silent: true, ...(input === undefined ? {} : { input }) })
    return JSON.parse(text) as T
  }
}
