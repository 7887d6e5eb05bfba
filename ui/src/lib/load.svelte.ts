/** Something asked of the box: loading, there, or refused; asked again on request or in a rhythm. */
import { BoxError } from './api'

export class Loaded<T> {
  value = $state.raw<T | undefined>(undefined)
  error = $state<BoxError | undefined>(undefined)
  busy = $state(false)
  readonly #ask: () => Promise<T>
  #text = ''

  constructor(ask: () => Promise<T>) {
    this.#ask = ask
  }

  /** Ask again; what is shown stays until the answer comes. */
  async again(): Promise<void> {
    this.busy = true
    try {
      const value = await this.#ask()
      // The same answer once more must not make the page begin anew.
      const text = JSON.stringify(value)
      if (text !== this.#text) this.value = value
      this.#text = text
      this.error = undefined
    } catch (error) {
      this.error = asBoxError(error)
    } finally {
      this.busy = false
    }
  }
}

/** Ask now, and every `everyMs` while the page is looked at; ends with the component. */
export function load<T>(ask: () => Promise<T>, everyMs = 0): Loaded<T> {
  const loaded = new Loaded(ask)
  $effect(() => {
    void loaded.again()
    if (!everyMs) return
    const timer = setInterval(() => {
      if (!document.hidden && !loaded.busy) void loaded.again()
    }, everyMs)
    return () => clearInterval(timer)
  })
  return loaded
}

export function asBoxError(error: unknown): BoxError {
  if (error instanceof BoxError) return error
  return new BoxError(-1, 'browser', error instanceof Error ? error.message : String(error))
}
