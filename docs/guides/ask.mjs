#!/usr/bin/env node
// Asks a Keyrack sidecar before a call to Mews, and tells it what Mews answered.
//
//   ask.mjs INTEGRATION          one call to Mews, with everything around it
//   ask.mjs --changes N [AFTER]  the next N changes, after a position
import { setTimeout as sleep } from 'node:timers/promises';

const API = (process.env.KEYRACK_API ?? 'http://127.0.0.1:8081').replace(/\/+$/, '');
const KEY = process.env.KEYRACK_API_KEY ?? '';
const PATIENCE = 5_000; // ms for an answer: the sidecar gives it from memory
const SILENCE = 45_000; // ms: a stream has a heartbeat every 15 s

/** The sidecar answered, and with something else than a 200. */
class Refused extends Error {
  constructor(status, { error = '', detail = '' }) {
    super(`${status} ${error}: ${detail}`);
    this.status = status;
    this.code = error;
  }
}

async function ask(path, { headers = {}, signal = AbortSignal.timeout(PATIENCE), ...options } = {}) {
  if (KEY) headers.Authorization = `Bearer ${KEY}`;
  const answer = await fetch(API + path, { redirect: 'error', headers, signal, ...options });
  if (answer.status === 200) return answer;
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

/** Is this token still valid? Only where "active" is true. */
async function introspect(token) {
  const answer = await ask('/v1/introspect', { method: 'POST', body: new URLSearchParams({ token }) });
  return answer.json();
}

/** The integration's current token, with the verdict on it. */
async function tokenOf(integration) {
  const answer = await ask(`/v1/integrations/${encodeURIComponent(integration)}/token`, { method: 'POST' });
  return answer.json();
}

/** Tells what Mews answered to a call that began so long ago, and returns the verdict. */
async function report(token, status, operation, elapsed) {
  const answer = await ask('/v1/report', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token, status, operation, elapsed_ms: Math.round(elapsed) }),
  });
  return answer.json();
}

/** The lines of a stream; each one, heartbeats included, calls alive. */
async function* lines(stream, alive) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    alive();
    const all = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = all.pop();
    yield* all;
  }
}

/** What happens, without end. After a break it goes on where it stood. */
async function* changes(after) {
  for (let pause = 1_000; ; pause = Math.min(2 * pause, 30_000)) {
    const control = new AbortController();
    const watchdog = setTimeout(() => control.abort(), SILENCE);
    try {
      const headers = after === undefined ? {} : { 'Last-Event-ID': after };
      const answer = await ask('/v1/changes', { headers, signal: control.signal });
      let [event, data, position] = ['', '', after];
      for await (const line of lines(answer.body, () => watchdog.refresh())) {
        const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line);
        if (field === 'id') position = value;
        else if (field === 'event') event = value;
        else if (field === 'data') data += value;
        else if (line === '') { // the end of an event
          if (event === 'problem') throw new Refused(JSON.parse(data).status, JSON.parse(data));
          if (event === 'change') {
            yield JSON.parse(data);
            pause = 1_000;
          }
          [event, data, after] = ['', '', position];
        }
      }
    } catch (failure) {
      // 410: read the list of integrations, and follow from now on.
      if (failure instanceof Refused && failure.status < 500 && failure.status !== 429) throw failure;
    } finally { // the connection was lost, or nobody wants more
      clearTimeout(watchdog);
      control.abort();
    }
    await sleep(pause);
  }
}

const operation = 'configuration/get';

/** Any call to Mews. Returns the status of the answer. */
async function callMews(token) {
  const answer = await fetch(`${process.env.MEWS_URL}/api/connector/v1/${operation}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ClientToken: process.env.MEWS_CLIENT_TOKEN, AccessToken: token, Client: 'Guide 1.0' }),
    signal: AbortSignal.timeout(30_000),
  });
  await answer.arrayBuffer();
  return answer.status;
}

const say = (what, verdict) => console.log(`${what}: ${verdict.status}, ${verdict.reason}`);

async function oneCall(integration) {
  let current;
  try {
    current = await tokenOf(integration);
  } catch (refusal) {
    if (refusal.status !== 404 && refusal.status !== 409) throw refusal;
    console.log('do not call:', refusal.message);
    return 3;
  }
  say('its token', current);
  say('the same, asked by the token', await introspect(current.token));
  if (!current.active) return 3;
  if (process.env.MEWS_URL === undefined) {
    console.log('MEWS_URL is not set, so Mews is not called');
    return 0;
  }
  const began = performance.now(); // which nobody sets, as they do the time of day
  const status = await callMews(current.token);
  console.log('Mews answered', String(status));
  if (status === 200 || status === 401) say('afterwards', await report(current.token, status, operation, performance.now() - began));
  return 0;
}

async function main([first, count, after]) {
  if (first !== '--changes') return oneCall(first);
  let left = Number(count);
  for await (const change of changes(after)) {
    console.log(`${change.position} ${change.action ?? change.kind} ${change.was} -> ${change.is}`);
    if (--left === 0) return 0;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (failure) {
  console.error('the sidecar cannot say:', failure.cause?.code ?? failure.message);
  process.exitCode = 1;
}
