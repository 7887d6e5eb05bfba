/** Names for people: what a thing is called, not what it is. */
import type { AskRow, Component, SourceRow } from './types'

export type Titles = ReadonlyMap<string, string>

export function titles(components: readonly Component[]): Titles {
  return new Map(components.map(({ name, title }) => [name, title || name]))
}

/** "This computer: processor load". */
export function sourceName(source: SourceRow): string {
  return source.description || readable(source.id)
}

/** What an app asks to see: as its only source is called, else by its type. */
export function askName({ type, candidates }: AskRow): string {
  const [only, ...more] = candidates
  return only && !more.length ? sourceName(only) : readable(type)
}

/** A name that begins like a sentence, within one: "Free memory" is "free memory". */
export function inSentence(name: string): string {
  return /^[A-Z][a-z ]/.test(name) ? name.charAt(0).toLowerCase() + name.slice(1) : name
}

/** A place outside, or the box itself, as a reader of a sentence expects it. */
export function readable(id: string): string {
  const text = id.replaceAll(/[-_.]+/g, ' ').trim()
  return text ? text.charAt(0).toUpperCase() + text.slice(1) : id
}

/** The store of a driver is named after it. */
export function driverOf(store: string): string {
  return store.endsWith('-store') ? store.slice(0, -'-store'.length) : store
}
