/** Where the browser keeps the session and its key: IndexedDB, which can hold an unreadable key. */

export interface Kept {
  session: string
  key: CryptoKeyPair
}

const NAME = 'databox'
const SHELF = 'session'
const ENTRY = 'current'

export async function load(): Promise<Kept | null> {
  return ((await run('readonly', (shelf) => shelf.get(ENTRY))) as Kept | undefined) ?? null
}

export async function keep(kept: Kept): Promise<void> {
  await run('readwrite', (shelf) => shelf.put(kept, ENTRY))
}

export async function forget(): Promise<void> {
  await run('readwrite', (shelf) => shelf.delete(ENTRY))
}

async function run(
  mode: IDBTransactionMode,
  act: (shelf: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const base = await open()
  try {
    return await settle(act(base.transaction(SHELF, mode).objectStore(SHELF)))
  } finally {
    base.close()
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1)
  request.onupgradeneeded = () => request.result.createObjectStore(SHELF)
  return settle(request)
}

function settle<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the browser keeps nothing here'))
  })
}
