// What two libraries that others wrote read from our headers: from those an integration test wrote down
// (PALISADE_HEADER_FORMS), and over the wire from the showcase (PALISADE_SHOWCASE).
//
// ratelimit-header-parser 0.1.0, the newest there is, knows `X-RateLimit-*`, the three fields of the drafts up to 6, and the
// one field of draft 7 (`limit=2, remaining=1, reset=30`). It knows nothing of the structured fields of drafts 8 to 11,
// and where a field `RateLimit` stands it looks at no other. draft11.mjs is what a client does instead.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { parseRateLimit } from 'ratelimit-header-parser'
import { readDraft11, withoutDraft } from './draft11.mjs'

const forms = JSON.parse(readFileSync(process.env.PALISADE_HEADER_FORMS, 'utf8'))
const answers = (form) => forms[form].map(({ status, headers }) => ({ status, headers: new Headers(headers) }))

/** Whether a parser took a reset for so many seconds from now. */
function assertReset(parsed, seconds) {
	const away = (parsed.reset - Date.now()) / 1000
	assert.ok(Math.abs(away - seconds) < 5, `${away} s, not ${seconds} s`)
}

function assertLegacy(headers, limit, remaining, seconds) {
	const parsed = parseRateLimit(headers)
	assert.deepEqual({ ...parsed, reset: undefined }, { limit, used: limit - remaining, remaining, reset: undefined })
	assertReset(parsed, seconds)
}

test('the parser reads what we send by default, on answers and on refusals', () => {
	for (const form of ['default', 'legacy']) {
		const [first, second, refused] = answers(form)
		assertLegacy(first.headers, 2, 1, 30)
		assertLegacy(second.headers, 2, 0, 60)
		assert.equal(refused.status, 429)
		assertLegacy(refused.headers, 2, 0, 60)
		assert.ok(Number(refused.headers.get('retry-after')) >= 1)
		// A node.js response has them as an object.
		assertLegacy({ headers: Object.fromEntries(first.headers) }, 2, 1, 30)
	}
})

test('the parser reads X-RateLimit beside the draft, once it does not see the draft', () => {
	for (const form of ['all', 'several']) {
		const [first, second, refused] = answers(form)
		assertLegacy(withoutDraft(first.headers), 2, 1, 30)
		assertLegacy(withoutDraft(second.headers), 2, 0, 60)
		assertLegacy(withoutDraft(refused.headers), 2, 0, 60)
	}
	assertLegacy(withoutDraft(answers('concurrent')[0].headers), 4, 3, 0)
})

test('the parser reads nothing of draft 11, and then nothing at all', () => {
	// Should this fail, it has learned: then say so, and let it read every form.
	for (const form of ['all', 'draft', 'several', 'concurrent', 'odd name']) {
		const parsed = parseRateLimit(answers(form)[0].headers)
		assert.ok(Number.isNaN(parsed.limit) && Number.isNaN(parsed.remaining), `${form}: ${JSON.stringify(parsed)}`)
	}
})

test('a parser of structured fields reads draft 11', () => {
	const api = (remaining, seconds) => ['api', { quota: 2, unit: 'requests', window: 60, remaining, seconds }]
	for (const form of ['all', 'draft']) {
		const [first, second, refused] = answers(form).map(({ headers }) => [...readDraft11(headers)])
		assert.deepEqual(first, [api(1, 30)])
		assert.equal(second[0][1].remaining, 0)
		assert.deepEqual(refused, [api(0, 30)])
	}
	const odd = [...readDraft11(answers('odd name')[0].headers)]
	assert.deepEqual(odd.map(([name, { quota, remaining }]) => [name, quota, remaining]), [['a "b" \\ c, d;q=1', 2, 1]])
})

test('of several policies each is read', () => {
	const [first, , refused] = answers('several').map(({ headers }) => readDraft11(headers))
	assert.deepEqual([...first.keys()], ['api', 'daily'])
	assert.deepEqual([first.get('api').remaining, first.get('daily').remaining], [1, 99])
	assert.deepEqual([refused.get('api').remaining, refused.get('daily').remaining], [0, 98], 'none was charged')
	for (const { quota, window, remaining, seconds } of [...first.values(), ...refused.values()]) {
		assert.ok([quota, window, remaining, seconds].every(Number.isInteger))
		assert.ok(remaining <= quota && seconds <= window)
	}
})

test('a limit of concurrency says its unit, and has no window', () => {
	const { quota, unit, window, remaining } = readDraft11(answers('concurrent')[0].headers).get('running')
	assert.deepEqual({ quota, unit, window, remaining }, { quota: 4, unit: 'concurrent-requests', window: undefined, remaining: 3 })
})

test('without the headers there is nothing to read, and a refusal still says when', () => {
	const refused = answers('none').at(-1)
	assert.equal(parseRateLimit(withoutDraft(refused.headers)), undefined)
	assert.equal(readDraft11(refused.headers).size, 0)
	assert.equal(refused.headers.get('retry-after'), '30')
})

test('over the wire, from the showcase', async () => {
	const env = { ...process.env, PALISADE_ADDR: '127.0.0.1:0' }
	const showcase = spawn(process.env.PALISADE_SHOWCASE, { env, stdio: ['ignore', 'pipe', 'inherit'] })
	const ended = once(showcase, 'exit')
	try {
		let url
		for await (const line of createInterface({ input: showcase.stdout })) {
			url = /^Listening on (http:\S+)/.exec(line)?.[1]
			if (url) break
		}
		for (let left = 9; left >= 0; left--) {
			const response = await fetch(`${url}/api/items`)
			assert.equal(response.status, 200)
			const parsed = parseRateLimit(response)
			assert.deepEqual([parsed.limit, parsed.remaining, parsed.used], [10, left, 10 - left])
			await response.text()
		}
		const refused = await fetch(`${url}/api/items`)
		assert.equal(refused.status, 429)
		assert.equal(parseRateLimit(refused).remaining, 0)
		assert.deepEqual((await refused.json())['violated-policies'], ['api'])
	} finally {
		showcase.kill()
		await ended
	}
})
