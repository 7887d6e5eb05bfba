const NOT_YOURS =
  'If it was not you: do not rely on what stands here. Copy the folder of the box to another disk, end the box, and look at who can reach this computer and its disk.'

/** The History is not what this browser remembers. */
export const changed = {
  title: {
    shorter: (has: number, had: number, when: string) =>
      `Lines are missing from your History: it has ${has}, and had ${had} on ${when}.`,
    rewritten: (had: number, when: string) =>
      `Your History was rewritten: the ${had} lines that this browser remembers of ${when} are not there any more as they were.`,
    unproven: (had: number, when: string) =>
      `The box cannot show that the ${had} lines that this browser remembers of ${when} are still there as they were.`,
    key: 'Your History is signed by another key than before.',
    signature: 'The signature of your History is not right.',
    other: 'Your History was changed.',
  },
  means:
    'The box itself never changes or removes a line. Somebody changed the files of the box, or an older copy was put back.',
  todo: `If you put back a copy yourself, that is why: say so here, and this browser goes on from what is there now. ${NOT_YOURS}`,
  mine: 'I put it back myself',
  mineAsk: 'Go on from what is there now?',
  mineMeans:
    'This browser forgets what it remembers. If somebody else changed the History, you will not be warned of it again.',
  look: 'Look at the History',
} as const

/** What a source has on record is not what the History knows. */
export const putBack = {
  means: (title: string) => `Until you decide, ${title} gives out nothing and takes nothing in.`,
  meansOpen: 'It goes on working; only the record of who looked is not to be relied on.',
  todo: `If you put back a copy yourself, let it go on with what is there. ${NOT_YOURS}`,
  go: 'Go on with what is there',
  goAsk: (title: string) => `Let ${title} go on with what is there?`,
  goMeans: 'What is missing stays missing. Your decision is written in the History.',
  gone: (title: string) => `${title} goes on.`,
} as const

export const reads = {
  title: 'Who looked, and how much',
  titleApp: 'What it looked at',
  period: 'In which time',
  periods: { day: 'Today', week: '7 days', month: '30 days', all: 'Ever' },
  none: 'Nobody looked at anything in this time.',
  noneApp: 'It looked at nothing in this time.',
  more: 'There is more; choose a shorter time to see all of it.',
  columns: {
    who: 'Who',
    what: 'Source',
    exact: 'How exact',
    looks: 'Looks',
    values: 'Values',
    size: 'How much',
    of: 'Values from the time',
    last: 'Last look',
  },
  times: (looks: number, last: string) =>
    looks === 1 ? `once, ${last}` : `${looks.toLocaleString()} times, last ${last}`,
  table: 'As a table',
  to: (first: string, last: string) => (first === last ? first : `${first} to ${last}`),
} as const
