// What a client of draft-ietf-httpapi-ratelimit-headers-11 does: both fields are structured fields, lists of strings with
// parameters (RFC 9651). They are read as such, never by regular expressions, and put together by the policies' names.
import { parseList } from 'structured-headers'

/** Of every policy: its quota, unit and window in seconds, what remains, and for how many seconds no more than that. */
export function readDraft11(headers) {
	const policies = new Map()
	// `Headers.get` puts the lines of a field together with commas, as a list wants it.
	for (const [name, parameters] of parseList(headers.get('ratelimit-policy') ?? '')) {
		const unit = parameters.get('qu') ?? 'requests'
		policies.set(name, { quota: parameters.get('q'), unit, window: parameters.get('w') })
	}
	for (const [name, parameters] of parseList(headers.get('ratelimit') ?? '')) {
		const policy = policies.get(name) ?? {}
		policies.set(name, { ...policy, remaining: parameters.get('r'), seconds: parameters.get('t') })
	}
	return policies
}

/** The headers for a parser that knows the field `RateLimit` only as older drafts had it. */
export function withoutDraft(headers) {
	const older = new Headers(headers)
	older.delete('ratelimit')
	older.delete('ratelimit-policy')
	return older
}
