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

export class Live {
  readonly #api: Api
  readonly #heard = new Map<string, Set<Hear>>()
  #socket: WebSocket | null = null
  #wait = FIRST_WAIT_MS
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Told whether values can come now. */
  onState: (connected: boolean) => void = () => undefined

  constructor(api: Api) {
    this.#api = api
  }

  /** Hear one source; the answer ends it. */
  hear(store: string, source: string, hear: Hear): () => void {
    const key = JSON.stringify([store, source])
    const others = this.#heard.get(key) ?? new Set()
    this.#heard.set(key, others.add(hear))
    this.#connect()
    this.#subscribe()
    return () => {
      others.delete(hear)
      if (!others.size) this.#heard.delete(key)
      if (!this.#heard.size) this.#close()
      else this.#subscribe()
    }
  }

  #connect(): void {
    if (this.#socket) return
    clearTimeout(this.#timer)
    const address = new URL(PATH, location.origin.replace(/^http/, 'ws'))
    const socket = new WebSocket(address)
    this.#socket = socket
    socket.onopen = () => void this.#greet(socket)
    socket.onmessage = (message) => this.#tell(message.data)
    socket.onclose = () => this.#again(socket)
  }

  async #greet(socket: WebSocket): Promise<void> {
    socket.send(await this.#api.firstFrame(PATH))
    this.#subscribe()
    this.onState(true)
  }

  /** The whole list each time: the box replaces what it had. */
  #subscribe(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    const subscribe = [...this.#heard.keys()].map((key) => JSON.parse(key) as [string, string])
    this.#socket.send(JSON.stringify({ subscribe }))
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
    this.onState(false)
    if (!this.#heard.size) return
    this.#timer = setTimeout(() => this.#connect(), this.#wait)
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS)
  }

  #close(): void {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }
}
