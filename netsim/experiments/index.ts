/** The classics by name: what `netsim experiment NAME` runs. */
import { consensus } from './consensus.ts'
import { deVos2023 } from './deVos2023.ts'
import type { ExperimentOptions, ExperimentResult } from './frame.ts'
import { hegedus2021 } from './hegedus2021.ts'
import { lian2017 } from './lian2017.ts'
import { localOnly } from './localOnly.ts'
import { mcmahan2017 } from './mcmahan2017.ts'
import { ormandi2013 } from './ormandi2013.ts'
import { pooled } from './pooled.ts'

/** One experiment. */
export interface Experiment {
  /** Authors, year, and what is run of it. */
  readonly paper: string
  /** What shape its curves should have. */
  readonly reproduces: string
  /** Options that are not given are the experiment's own; `data.ts` has federations by name. Errors: those of reading rows; `kernels-…`. */
  run(options?: Partial<ExperimentOptions>): Promise<ExperimentResult>
}

export type ExperimentName =
  | 'ormandi2013'
  | 'hegedus2021'
  | 'lian2017'
  | 'deVos2023'
  | 'mcmahan2017'
  | 'consensus'
  | 'localOnly'
  | 'pooled'

export const EXPERIMENTS: Readonly<Record<ExperimentName, Experiment>> = {
  ormandi2013: {
    paper: 'Ormándi, Hegedűs and Jelasity 2013, gossip learning, Algorithms 1 and 2: RW, MU, UM',
    reproduces:
      'models that merge learn much faster than random walks; losses, delays and absence slow both and break neither',
    run: ormandi2013,
  },
  hegedus2021: {
    paper: 'Hegedűs, Danner and Jelasity 2021, partitioned token gossip; token accounts of Danner and Jelasity 2018',
    reproduces:
      'for the same bytes, gossip with token accounts learns faster than without, and partitioned at least as fast',
    run: hegedus2021,
  },
  lian2017: {
    paper: 'Lian, Zhang, Zhang, Hsieh, Zhang and Liu 2017, D-PSGD, Algorithm 1',
    reproduces: 'on a ring it follows parallel SGD with a server, step by step',
    run: lian2017,
  },
  deVos2023: {
    paper:
      'De Vos, Farhadkhani, Guerraoui, Kermarrec, Pires and Sharma 2023, Epidemic Learning, Algorithm 1: EL-Oracle, EL-Local',
    reproduces: 'receivers drawn anew every round learn faster than a fixed graph with as many messages',
    run: deVos2023,
  },
  mcmahan2017: {
    paper: 'McMahan, Moore, Ramage, Hampson and Agüera y Arcas 2017, FedAvg, Algorithm 1',
    reproduces:
      'more local work takes fewer rounds to the same quality (Table 2); fewer clients a round cost little (Table 1)',
    run: mcmahan2017,
  },
  consensus: {
    paper: 'Zinkevich, Weimer, Smola and Li 2010, Algorithm 3 (averaged models); Breiman 1996 (averaged predictions)',
    reproduces: 'averaging once lifts models far above those that were trained alone',
    run: consensus,
  },
  localOnly: {
    paper: 'no exchange: the floor of every comparison',
    reproduces: 'the row "local only" of the stroke table',
    run: localOnly,
  },
  pooled: {
    paper: 'all rows in one place: the ceiling of every comparison where nodes are alike',
    reproduces: 'the row "pooled" of the stroke table',
    run: pooled,
  },
}
