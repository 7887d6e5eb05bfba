export const keeping = {
  title: 'How long values stay',
  all: 'Every single value stays, for as long as you like.',
  days: (days: number) =>
    `Single values stay ${days === 1 ? 'one day' : `${days} days`}; of older ones only what they came to by the hour stays.`,
  keepAll: 'Keep everything from now on',
  label: 'Keep single values for (days)',
  ask: 'See what would go',
  none: 'Nothing would go now. As days pass, what gets older than that goes.',
  goes: (count: string, of: string, before: string) =>
    `${count} of ${of} values would go, all from before ${before}. What they came to by the hour stays. This cannot be undone.`,
  act: 'Let older values go',
  keep: 'Keep it so',
  done: 'So it will be.',
  keptAll: 'Everything stays from now on.',
  bad: 'Give a whole number of days, 1 or more.',
} as const

export const deleting = {
  title: 'Delete values',
  lead: 'Values of a stretch of time. Apps that have seen them may remember.',
  from: 'From',
  to: 'To',
  ask: 'Count them',
  none: 'There are no values in that stretch.',
  found: (count: string) =>
    count === '1' ? 'One value would be deleted for good.' : `${count} values would be deleted for good.`,
  act: 'Delete these values',
  done: (count: string) => (count === '1' ? 'One value is deleted.' : `${count} values are deleted.`),
  bad: 'Give a beginning, and an end that comes after it.',
} as const

export const left = {
  title: 'Left by sources that you removed',
  lead: 'Their values are still in your box, and nobody reads them. Adding the source again goes on with them.',
  forget: 'Forget',
  ask: (name: string) => `Forget everything of ${name}?`,
  means:
    'The key of these values is destroyed. Nobody can read them again, not even from a copy of the disk. This cannot be undone.',
  done: (name: string) => `${name} is forgotten.`,
} as const
