/**
 * How hard a passphrase is to guess, 0 to 4, as a hint while typing. It decides nothing: the box
 * stretches every passphrase and slows down guessing.
 */

const COMMON = ['password', 'passwort', '123456', 'qwerty', 'letmein', 'databox', 'welcome', 'admin']

export const MIN_LENGTH = 10

export function strength(passphrase: string): number {
  if (passphrase.length < MIN_LENGTH) return 0
  const lower = passphrase.toLowerCase()
  if (COMMON.some((word) => lower.includes(word)) && passphrase.length < 20) return 0
  const different = new Set(lower).size
  if (different < 5) return 0
  const words = lower.split(/[\s\-_.,]+/).filter((word) => word.length > 2).length
  const bits = passphrase.length * Math.log2(alphabet(passphrase)) * (different < 9 ? 0.6 : 1)
  // Words are easier to guess than random letters: about 12 bits each.
  const guess = words > 1 ? Math.min(bits, words * 12 + 8) : bits * 0.7
  return [0, 30, 46, 56].findLastIndex((needed) => guess >= needed) + 1
}

function alphabet(text: string): number {
  let size = 0
  if (/[a-z]/.test(text)) size += 26
  if (/[A-Z]/.test(text)) size += 26
  if (/[0-9]/.test(text)) size += 10
  if (/[^a-zA-Z0-9]/.test(text)) size += 20
  return Math.max(size, 2)
}
