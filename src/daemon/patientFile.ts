/** What a hospital hands to one patient: the own key, and what opens the patient's part of rounds and words, for a page that needs no network. */
import { toHex } from '../core/bytes.ts'
import { formatSubjectKey } from '../governance/subjectKey.ts'
import { openingsOf } from '../governance/subjectOpening.ts'
import { fingerprint } from '../ledger/founding.ts'
import type { PatientFile, SubjectKeyReport } from './consentApi.ts'
import type { Daemon } from './daemon.ts'
import { knownIn } from './vaultKeeper.ts'
import { askingStudies } from './wordReports.ts'

/** What these work with. */
type Handing = Pick<Daemon, 'vault' | 'ownLog' | 'machine' | 'home'>

/** Errors: `subject-unknown`, `subject-forgotten`, `vault-…`. */
export async function subjectKey(daemon: Handing, record: string): Promise<SubjectKeyReport> {
  const { key } = knownIn(await daemon.vault.book(), record)
  return { key: formatSubjectKey(key), ...fromWhom(daemon) }
}

/** Openings of all sets that own rounds rest on and in which the patient was. Errors: those of `subjectKey`. */
export async function patientFile(daemon: Handing, record: string): Promise<PatientFile> {
  const book = await daemon.vault.book()
  const subject = knownIn(book, record)
  const own = await daemon.ownLog.rounds()
  const hospital = daemon.home.key.id
  const studies = askingStudies(daemon).map(({ id: study }) => {
    const wanted = openingsOf(book, subject, { study, hospital, wanted: (root) => own.on(study, root).length > 0 })
    const openings = [...wanted].map(({ path, ...one }) => ({ ...one, path: path.map(toHex) }))
    return { study, openings }
  })
  const words = subject.words.map(({ salt, bytes }) => [toHex(salt), toHex(bytes)] as const)
  const made = new Date().toISOString()
  return { format: 'consilium-patient/1', made, member: hospital, ...fromWhom(daemon), words, studies }
}

function fromWhom({ home }: Handing): Omit<SubjectKeyReport, 'key'> {
  const { name, founding } = home.consortium
  return { hospital: home.config.name, consortium: name, fingerprint: fingerprint(founding) }
}
