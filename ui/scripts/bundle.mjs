/**
 * The committed bundle: `write` builds it beside its source hash, `check` builds it elsewhere and
 * compares byte for byte, so that what is shipped is what the sources say.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { build } from 'vite'

const ui = dirname(dirname(fileURLToPath(import.meta.url)))
const web = join(ui, '../src/databox/gateway/web')
const HASH = 'SOURCE_SHA256'
const SHELL_KIB = 120

/** What the bundle is made from; tests and the mock box do not change it. */
const SOURCES = ['src', 'public', 'index.html', 'package-lock.json', 'svelte.config.js', 'vite.config.ts', 'tsconfig.json']

/** Each of these would break the policy that the gateway sends, or the promise behind it. */
const FORBIDDEN = [
  [/\beval\s*\(/, 'eval('],
  [/\bnew Function\s*\(/, 'new Function('],
  [/<[a-z][^<>]*\sstyle="/, 'an inline style attribute'],
  [/\son[a-z]+="/, 'an inline event handler'],
  [/<script(?![^>]*\ssrc=)/, 'an inline script'],
  [/https?:\/\/(?!www\.w3\.org\/|svelte\.dev\/e\/)[a-z0-9.-]+\.[a-z]{2,}/i, 'an outside address'],
]

/** Files below a folder, as sorted paths. */
function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

function sourceHash() {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(ui, source)
    const inside = source.includes('.') ? [''] : files(path)
    for (const file of inside) {
      const body = readFileSync(join(path, file))
      hash.update(`${join(source, file)}\0${body.length}\0`).update(body)
    }
  }
  return hash.digest('hex')
}

async function make(folder) {
  await build({ root: ui, logLevel: 'warn', build: { outDir: folder, emptyOutDir: true } })
  writeFileSync(join(folder, HASH), `${sourceHash()}\n`)
}

function inspect(folder) {
  const problems = []
  let shell = 0
  for (const file of files(folder)) {
    const body = readFileSync(join(folder, file))
    if (/\.(js|css|html)$/.test(file)) {
      shell += gzipSync(body, { level: 9 }).length
      for (const [pattern, what] of FORBIDDEN) {
        const found = pattern.exec(body.toString())
        if (found) problems.push(`${file} has ${what}: ${body.toString().slice(found.index, found.index + 80)}`)
      }
    }
  }
  const kib = shell / 1024
  if (kib > SHELL_KIB) problems.push(`the bundle has ${kib.toFixed(1)} KiB compressed, more than ${SHELL_KIB}`)
  console.log(`bundle: ${kib.toFixed(1)} KiB compressed of ${SHELL_KIB}`)
  return problems
}

function compare(fresh) {
  const names = new Set([...files(fresh), ...files(web)])
  return [...names]
    .filter((name) => {
      const [ours, theirs] = [join(fresh, name), join(web, name)].map(readOrNothing)
      return !ours || !theirs || !ours.equals(theirs)
    })
    .map((name) => `${name} differs from what the sources build: run npm run bundle`)
}

function readOrNothing(path) {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}

const problems = []
if (process.argv[2] === 'check') {
  const fresh = mkdtempSync(join(tmpdir(), 'databox-ui-'))
  await make(fresh)
  problems.push(...inspect(fresh), ...compare(fresh))
  rmSync(fresh, { recursive: true })
} else {
  await make(web)
  problems.push(...inspect(web))
}
for (const problem of problems) console.error(problem)
process.exit(problems.length ? 1 : 0)
