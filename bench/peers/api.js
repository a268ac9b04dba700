// @ts-check
/** The API of the peer: accepts messages, and takes the provider's callbacks. Prints {"port": ...}; ends with its standard input. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import { channelById, inTenant, tenantOfKey } from './database.js';
import { uuidv7 } from './ids.js';
import { queues } from './queues.js';

const message = {
    type: 'object', additionalProperties: false, required: ['channel_id', 'to', 'content'],
    properties: {
        channel_id: { type: 'string', format: 'uuid' },
        to: { type: 'string', pattern: '^\\+[1-9][0-9]{6,14}$' },
        category: { enum: ['otp', 'transactional', 'service', 'promotional'] },
        content: {
            type: 'object', additionalProperties: false, required: ['type', 'text'],
            properties: {
                type: { const: 'text' },
                text: { type: 'object', additionalProperties: false, required: ['body'], properties: { body: { type: 'string', minLength: 1, maxLength: 4096 } } },
            },
        },
    },
};
const accepted = { type: 'object', properties: { id: { type: 'string' }, status: { type: 'string' }, replayed: { type: 'boolean' } } };
const batchOf = (items) => ({ type: 'object', additionalProperties: false, required: ['messages'], properties: { messages: { type: 'array', minItems: 1, maxItems: 1000, items } } });

/** The message, its event and its idempotency key, all or none; no row back: the key was there. */
const ACCEPT = `
with key as (
    insert into idempotency_key (tenant_id, key, fingerprint, message_id) values ($1, $2, $3, $4)
    on conflict do nothing returning message_id
), row as (
    insert into message (id, tenant_id, channel_id, recipient, category, content)
    select message_id, $1, $5, $6, $7, $8 from key returning id
)
insert into message_event (id, tenant_id, message_id, type) select $9, $1, id, 'message.accepted' from row returning message_id`;
const REPLAY = 'select message_id, fingerprint from idempotency_key where tenant_id = $1 and key = $2';
const ACCEPT_BATCH = `
with row as (
    insert into message (id, tenant_id, channel_id, recipient, category, content)
    select id, $1, c, r, k, t from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[]) as i (id, c, r, k, t)
)
insert into message_event (id, tenant_id, message_id, type) select e, $1, id, 'message.accepted' from unnest($7::uuid[], $2::uuid[]) as i (e, id)`;
const BATCH_KEY = `insert into idempotency_key (tenant_id, key, fingerprint, message_id) values ($1, $2, $3, $4)`;

const app = Fastify({ logger: false, bodyLimit: 1 << 20 });

app.setErrorHandler((error, _, reply) => {
    const { statusCode = 500, message: text, stack } = /** @type {any} */ (error);
    if (statusCode >= 500)
        process.stderr.write(`${stack}\n`);
    return reply.code(statusCode).send({ error: text });
});
app.decorateRequest('tenant', '');
async function authenticate(request, reply) {
    const header = request.headers.authorization ?? '';
    const tenant = header.startsWith('Bearer ') ? await tenantOfKey(header.slice(7)) : null;
    if (tenant === null)
        return reply.code(401).send({ error: 'unauthenticated' });
    request.tenant = tenant;
}

/** What the worker needs to send it. */
const jobOf = (tenant, id, body) => ({ id, data: { tenant, id, channel: body.channel_id, to: body.to, content: body.content } });

app.post('/v1/messages', { schema: { body: message, response: { 202: accepted } }, onRequest: authenticate }, async (request, reply) => {
    const { tenant, body } = /** @type {any} */ (request), channel = await channelById(body.channel_id);
    if (channel === null || channel.tenant_id !== tenant)
        return reply.code(404).send({ error: 'channel-unknown' });
    const id = uuidv7(), key = String(request.headers['idempotency-key'] ?? id), content = JSON.stringify(body.content);
    const fingerprint = createHash('sha256').update(`${body.channel_id} ${body.to} ${body.category} ${content}`).digest();
    const [{ rows }] = await inTenant(tenant, [{
        name: 'accept', text: ACCEPT, values: [tenant, key, fingerprint, id, body.channel_id, body.to, body.category ?? 'service', content, uuidv7()],
    }]);
    if (rows.length === 0) {
        const [{ rows: [earlier] }] = await inTenant(tenant, [{ name: 'replay', text: REPLAY, values: [tenant, key] }]);
        return earlier.fingerprint.equals(fingerprint) ? reply.code(202).send({ id: earlier.message_id, status: 'accepted', replayed: true })
            : reply.code(422).send({ error: 'idempotency-key-reused' });
    }
    await queues.add('send', [jobOf(tenant, id, body)]);
    return reply.code(202).send({ id, status: 'accepted', replayed: false });
});

app.post('/v1/messages/batch', { schema: { body: batchOf(message) }, onRequest: authenticate }, async (request, reply) => {
    const { tenant, body: { messages } } = /** @type {any} */ (request), ids = messages.map(() => uuidv7());
    const channels = await Promise.all(messages.map((each) => channelById(each.channel_id)));
    if (channels.some((channel) => channel === null || channel.tenant_id !== tenant))
        return reply.code(404).send({ error: 'channel-unknown' });
    const contents = messages.map((each) => JSON.stringify(each.content)), key = String(request.headers['idempotency-key'] ?? ids[0]);
    const fingerprint = createHash('sha256').update(JSON.stringify(messages)).digest();
    await inTenant(tenant, [
        { name: 'batch_key', text: BATCH_KEY, values: [tenant, key, fingerprint, ids[0]] },
        { name: 'accept_batch', text: ACCEPT_BATCH, values: [tenant, ids, messages.map((each) => each.channel_id), messages.map((each) => each.to),
            messages.map((each) => each.category ?? 'service'), contents, messages.map(() => uuidv7())] },
    ]);
    await queues.add('send', messages.map((each, at) => jobOf(tenant, ids[at], each)));
    return reply.code(202).send({ accepted: ids.length, refused: 0, results: ids.map((id) => ({ status: 202, id, replayed: false })) });
});

/* A callback is verified over the bytes that came, queued, and answered: what it says is the worker's. */
await app.register(async (callbacks) => {
    callbacks.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
    callbacks.post('/callbacks/whatsapp/:channel', async (request, reply) => {
        const { channel: id } = /** @type {any} */ (request.params), channel = await channelById(id), raw = /** @type {Buffer} */ (request.body);
        const signature = Buffer.from(String(request.headers['x-hub-signature-256'] ?? ''));
        const wanted = Buffer.from(channel === null ? '' : `sha256=${createHmac('sha256', channel.app_secret).update(raw).digest('hex')}`);
        if (channel === null || signature.length !== wanted.length || !timingSafeEqual(signature, wanted))
            return reply.code(403).send({ error: 'signature-invalid' });
        const statuses = JSON.parse(raw.toString()).entry.flatMap((entry) => entry.changes.flatMap((change) => change.value.statuses ?? []));
        await queues.add('status', statuses.map(({ id: ref, status, timestamp }) => ({ id: `${ref}.${status}`, data: { tenant: channel.tenant_id, ref, status, timestamp } })));
        return reply.code(200).send();
    });
});

app.get('/healthz', async () => ({ ok: true }));
const address = await app.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
process.stdout.write(`${JSON.stringify({ port: Number(new URL(address).port) })}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
