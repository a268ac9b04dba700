// @ts-check
/**
 * The worker of the peer: sends to the provider, applies what the provider said, posts signed webhooks. Prints {"ready": true}; takes
 * "pause", "resume" (sending) and "clear" (the queues) by its standard input, answers "ok" to each, and ends with it.
 */
import { createHmac } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Pool } from 'undici';
import { channelById, endpointsOf, inTenant } from './database.js';
import { uuidv7 } from './ids.js';
import { queues } from './queues.js';

const CONCURRENCY = Number(process.env.PEER_CONCURRENCY ?? 64);
const RANKS = { accepted: 0, sent: 1, delivered: 2, read: 3 };
const MOVE = `
with row as (
    update message set status = $3, status_rank = $4, provider_ref = coalesce($5, provider_ref), updated_at = now()
    where id = $2 and status_rank < $4 returning id
)
insert into message_event (id, tenant_id, message_id, type, data) select $6, $1, id, $7, $8 from row returning message_id`;
const SENT_BY_REF = MOVE.replace('where id = $2', 'where provider_ref = $2');
/** Statuses overtake each other: each is told, and the furthest one stays. */
const MOVE_BY_REF = `
with row as (
    select id, status_rank from message where provider_ref = $2 for update
), moved as (
    update message m set status = $3, status_rank = $4, updated_at = now() from row where m.id = row.id and row.status_rank < $4
)
insert into message_event (id, tenant_id, message_id, type, data) select $5, $1, id, $6, $7 from row returning message_id`;
const BY_REF = 'select id from message where provider_ref = $1';
const DELIVERED = 'insert into webhook_delivery (id, tenant_id, endpoint_id, event_id, status, answer) values ($1, $2, $3, $4, $5, $6)';

/** Kept connections to each host. @type {Map<string, Pool>} */
const hosts = new Map();
function poolOf(origin) {
    const pool = hosts.get(origin) ?? new Pool(origin, { connections: CONCURRENCY, pipelining: 1 });
    hosts.set(origin, pool);
    return pool;
}

/** A webhook job for each endpoint of the tenant. */
async function tell(tenant, event, type, messageId, status) {
    const endpoints = await endpointsOf(tenant);
    if (endpoints.length > 0)
        await queues.add('webhook', endpoints.map((endpoint) => ({
            id: `${event}-${endpoint.id}`, data: { tenant, event, endpoint: endpoint.id, type, message: messageId, status, at: new Date().toISOString() },
        })));
}

const provider = poolOf(/** @type {string} */ (process.env.PEER_PROVIDER));
await queues.work('send', CONCURRENCY, async ({ tenant, id, channel: channelId, to, content }) => {
    const channel = await channelById(channelId);
    const { statusCode, body } = await provider.request({
        method: 'POST', path: `/v23.0/${channel.phone_number_id}/messages`,
        headers: { authorization: `Bearer ${channel.access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ messaging_product: 'whatsapp', recipient_type: 'individual', to: to.slice(1), ...content }),
    });
    const answer = /** @type {any} */ (await body.json());
    if (statusCode !== 200)
        throw new Error(`the provider answered ${statusCode}`); // BullMQ tries again
    const event = uuidv7();
    await inTenant(tenant, [{ name: 'move', text: MOVE, values: [tenant, id, 'sent', RANKS.sent, answer.messages[0].id, event, 'message.sent', '{}'] }]);
    await tell(tenant, event, 'message.sent', id, 'sent');
});

await queues.work('status', CONCURRENCY, async ({ tenant, ref, status, timestamp }) => {
    const event = uuidv7(), type = `message.${status}`;
    const data = JSON.stringify({ timestamp });
    const [{ rows }] = await inTenant(tenant, [status === 'sent' ? // usually known from the provider's answer: then nothing happens
        { name: 'sent_by_ref', text: SENT_BY_REF, values: [tenant, ref, status, RANKS[status], null, event, type, data] } :
        { name: 'move_by_ref', text: MOVE_BY_REF, values: [tenant, ref, status, RANKS[status], event, type, data] }]);
    if (rows.length > 0)
        await tell(tenant, event, type, rows[0].message_id, status);
    else if ((await inTenant(tenant, [{ name: 'by_ref', text: BY_REF, values: [ref] }]))[0].rows.length === 0)
        throw new Error('a status of a message that is not known yet'); // tried again: the provider was faster than we recorded its answer
});

await queues.work('webhook', CONCURRENCY, async ({ tenant, event, endpoint: endpointId, type, message, status, at }) => {
    const endpoint = (await endpointsOf(tenant)).find(({ id }) => id === endpointId), url = new URL(endpoint.url);
    const body = JSON.stringify({ id: event, type, timestamp: at, data: { message_id: message, status } }), seconds = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', Buffer.from(endpoint.secret, 'base64')).update(`${event}.${seconds}.${body}`).digest('base64');
    const answer = await poolOf(url.origin).request({
        method: 'POST', path: url.pathname, body,
        headers: { 'content-type': 'application/json', 'webhook-id': event, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` },
    });
    await answer.body.dump();
    if (answer.statusCode >= 300)
        throw new Error(`the receiver answered ${answer.statusCode}`);
    await inTenant(tenant, [{ name: 'delivered', text: DELIVERED, values: [uuidv7(), tenant, endpointId, event, 'delivered', answer.statusCode] }]);
});

const commands = { pause: () => queues.pause('send'), resume: () => queues.resume('send'), clear: () => queues.clear() };
process.stdout.write('{"ready":true}\n');
const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
for await (const line of lines) {
    await commands[line]();
    process.stdout.write('ok\n');
}
