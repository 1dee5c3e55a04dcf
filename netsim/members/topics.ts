/** The gossip topics of a simulation, as in the daemon: two for everybody, and one per study. */
export const TOPICS = { heads: 'heads', cosigned: 'cosigned', updates: 'updates' } as const
