#!/usr/bin/env node
// Tries a receiver of Mews's webhooks: a hotel connects, is disabled and enabled, and its
// token is replaced, while one webhook comes twice and one is lost.
const MEWS = process.env.MEWS ?? 'http://127.0.0.1:8082'; // keyrack mews
const API = process.env.KEYRACK_API ?? 'http://127.0.0.1:8081'; // keyrack serve

async function control(path, body = {}) {
  const answer = await fetch(`${MEWS}/control/${path}`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  const document = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${document.detail}`);
  return document;
}

/** What the receiver says about a token. Yours would be asked in its own way. */
async function active(token) {
  const answer = await fetch(`${API}/v1/introspect`, { method: 'POST', body: new URLSearchParams({ token }) });
  return (await answer.json()).active;
}

function expect(what, got, want) {
  if (got !== want) throw new Error(`${what}: ${got}, want ${want}`);
  console.log(`${what}: ${got}`);
}

const { integration, webhooks } = await control('integrations', { hotel: 'Alpenrose' });
expect('the receiver answers', webhooks[0].status, 204);
expect('connected', await active(integration.token), true);

await control(`integrations/${integration.id}/disable`);
expect('disabled', await active(integration.token), false);

await control('webhooks/next', { duplicate: true });
await control(`integrations/${integration.id}/enable`);
expect('enabled', await active(integration.token), true);

const rotated = await control(`integrations/${integration.id}/rotate`);
expect('the former token', await active(integration.token), false);
expect('the new token', await active(rotated.integration.token), true);

await control('webhooks/next', { lose: true });
await control(`integrations/${integration.id}/delete`);
expect('deleted, and the webhook is lost', await active(rotated.integration.token), true);
