/** New readings as they are stored, over one WebSocket for the whole page. */
import type { Api } from './api'

export interface LiveEvent {
  store: string
  source: string
  t: number
  data: unknown
}

export type Hear = (event: LiveEvent) => void

const PATH = '/api/live'
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000

/** Many rows begin to listen at the same moment; they share one connection. */
const GATHER_MS = 30

export class Live {
  readonly #api: Api
  readonly #heard = new Map<string, Set<Hear>>()
  #socket: WebSocket | null = null
  #connected = false
  /** What the present connection was asked for. */
  #asked = new Set<string>()
  #wait = FIRST_WAIT_MS
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Told whether values can come now. */
  onState: (connected: boolean) => void = () => undefined

  /** Whether values can come now. */
  get connected(): boolean {
    return this.#connected
  }

  constructor(api: Api) {
    this.#api = api
  }

  /** Hear one source; the answer ends it. */
  hear(store: string, source: string, hear: Hear): () => void {
    const key = JSON.stringify([store, source])
    const others = this.#heard.get(key) ?? new Set()
    this.#heard.set(key, others.add(hear))
    this.#gather()
    return () => {
      others.delete(hear)
      if (!others.size) this.#heard.delete(key)
      this.#gather()
    }
  }

  /** Soon after the last change, ask for what is new, over the connection that is there. */
  #gather(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!this.#heard.size) this.#leave()
      else if (!this.#socket) this.#open()
      else if (this.#connected) this.#ask(this.#socket)
    }, GATHER_MS)
  }

  #open(): void {
    const socket = new WebSocket(new URL(PATH, location.origin.replace(/^http/, 'ws')))
    this.#socket = socket
    this.#asked = new Set()
    socket.onopen = () => void this.#greet(socket)
    socket.onmessage = (message) => this.#tell(message.data)
    socket.onclose = () => this.#again(socket)
  }

  async #greet(socket: WebSocket): Promise<void> {
    socket.send(await this.#api.firstFrame(PATH))
    if (this.#socket !== socket) return
    this.#ask(socket)
    this.#connected = true
    this.onState(true)
  }

  #ask(socket: WebSocket): void {
    const fresh = [...this.#heard.keys()].filter((key) => !this.#asked.has(key))
    if (!fresh.length) return
    fresh.forEach((key) => this.#asked.add(key))
    const subscribe = fresh.map((key) => JSON.parse(key) as [string, string])
    socket.send(JSON.stringify({ subscribe }))
  }

  #tell(text: unknown): void {
    if (typeof text !== 'string') return
    this.#wait = FIRST_WAIT_MS
    const event = JSON.parse(text) as LiveEvent
    const key = JSON.stringify([event.store, event.source])
    for (const hear of this.#heard.get(key) ?? []) hear(event)
  }

  #again(socket: WebSocket): void {
    if (this.#socket !== socket) return
    this.#socket = null
    this.#connected = false
    this.onState(false)
    if (!this.#heard.size) return
    this.#timer = setTimeout(() => this.#gather(), this.#wait)
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS)
  }

  #leave(): void {
    const socket = this.#socket
    this.#socket = null
    this.#connected = false
    socket?.close()
  }
}
