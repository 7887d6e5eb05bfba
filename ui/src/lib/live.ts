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
  /** What the present connection was opened for: the box takes one list for each. */
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

  /** Soon after the last change, open a connection if the present one does not serve. */
  #gather(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!this.#heard.size) this.#leave()
      else if (!this.#socket || [...this.#heard.keys()].some((key) => !this.#asked.has(key))) {
        this.#leave()
        this.#open()
      }
    }, GATHER_MS)
  }

  #open(): void {
    const socket = new WebSocket(new URL(PATH, location.origin.replace(/^http/, 'ws')))
    const asked = [...this.#heard.keys()]
    this.#socket = socket
    this.#asked = new Set(asked)
    socket.onopen = () => void this.#greet(socket, asked)
    socket.onmessage = (message) => this.#tell(message.data)
    socket.onclose = () => this.#again(socket)
  }

  async #greet(socket: WebSocket, asked: string[]): Promise<void> {
    socket.send(await this.#api.firstFrame(PATH))
    const subscribe = asked.map((key) => JSON.parse(key) as [string, string])
    socket.send(JSON.stringify({ subscribe }))
    this.#connected = true
    this.onState(true)
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
