// @ts-check
/** Short messages all the way: accepted by the API, sent by smsc to message centres that are npm's smpp, and what those report and bring. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import smpp from 'smpp';
import { startPlatform, until } from './support.js';

/* India's parameters, which are the operators' own. */
for (const [name, id] of /** @type {[string, number][]} */ ([['dlt_entity', 0x1400], ['dlt_template', 0x1401], ['dlt_chain', 0x1402]]))
    smpp.addTLV(name, { id, type: smpp.types.tlv.buffer });

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Centre[]} */
const centres = [];

/** A message centre: what came, and how it answers. */
class Centre {
    submits = [];
    sessions = new Set();
    binds = 0;
    password = 'secret-1';
    ids = 0;
    /** What it says to a submit_sm: a status; null: nothing at all. @type {(pdu: any, count: number) => number | null} */
    judge = () => smpp.ESME_ROK;

    async start() {
        this.prefix = randomBytes(3).toString('hex');
        this.server = smpp.createServer((session) => {
            session.on('error', () => {});
            session.on('close', () => this.sessions.delete(session));
            for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'])
                session.on(kind, (pdu) => {
                    this.binds += 1;
                    if (pdu.password !== this.password) {
                        session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
                        session.close();
                        return;
                    }
                    session.kind = kind;
                    this.sessions.add(session);
                    session.send(pdu.response({ system_id: 'CENTRE' }));
                });
            session.on('enquire_link', (pdu) => session.send(pdu.response()));
            session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
            session.on('submit_sm', (pdu) => {
                const status = this.judge(pdu, this.submits.length);
                const id = `${this.prefix}${(this.ids += 1).toString(16).padStart(6, '0')}`;
                this.submits.push({ pdu, id, status, to: pdu.destination_addr, session });
                if (status === null)
                    return;
                session.send(pdu.response(status === 0 ? { message_id: id } : { command_status: status }));
            });
        });
        await new Promise((done) => this.server.listen(0, '127.0.0.1', () => done(undefined)));
        this.port = this.server.address().port;
        return this;
    }

    /** Text of what was taken for a number, as a handset shows it. @param {string} to */
    text(to) {
        return this.taken(to).map(({ pdu }) => pdu.short_message.message).join('');
    }

    /** @param {string} to */
    taken(to) {
        return this.submits.filter((one) => one.to === to && one.status === 0);
    }

    /** A deliver_sm, on any session that takes them. @param {Record<string, unknown>} fields */
    deliver(fields) {
        const session = [...this.sessions].find(({ kind }) => kind !== 'bind_transmitter');
        assert.ok(session, 'somebody is bound');
        return new Promise((done) => session.deliver_sm(fields, done));
    }

    /** @param {{id: string, to: string}} submit @param {string} [stat] @param {string} [err] */
    receipt({ id, to }, stat = 'DELIVRD', err = '000') {
        return this.deliver({ esm_class: 4, source_addr_ton: 1, source_addr_npi: 1, source_addr: to, destination_addr: 'HARKRA',
            short_message: `id:${id} sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:${stat} err:${err} text:` });
    }

    stop() {
        this.sessions.forEach((session) => session.destroy());
        this.server.close();
    }
}

async function centre() {
    const made = await new Centre().start();
    centres.push(made);
    return made;
}

before(async () => {
    platform = await startPlatform({ env: { HARKARA_SMPP_ALLOW: '127.0.0.0/8', HARKARA_UNCERTAIN_WAIT_MS: '1500' } });
});
after(async () => {
    await platform?.stop();
    centres.forEach((one) => one.stop());
});

/** @param {any} client @param {Centre} at @param {Record<string, unknown>} [more] */
async function connector(client, at, more = {}) {
    const made = await client.must(201, 'POST', '/v1/sms/connectors', { name: 'Operator', host: '127.0.0.1', port: at.port, tls: false, system_id: 'harkara', password: 'secret-1', per_second: 200, ...more });
    await client.must(201, 'POST', '/v1/sms/routes', { connector_id: made.id, priority: more.priority ?? 0 });
    return made;
}

const state = async (client, id) => client.must(200, 'GET', `/v1/sms/connectors/${id}`);
const bound = (client, id) => until(async () => {
    const shown = await state(client, id);
    return shown.links.length > 0 && shown.links.every((link) => link.state === 'bound') && shown;
}, `${id} to be bound`);

/** A workspace with a sender and connectors at these centres, all bound. @param {Centre[]} at @param {Record<string, unknown>} [more] */
async function shop(at, more = {}) {
    const { client } = await platform.workspace({ channel: false });
    const channel = (await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Shop', sms: { sender: 'HARKRA', sender_kind: 'alphanumeric' } })).id;
    const connectors = [];
    for (const [i, one] of at.entries())
        connectors.push((await connector(client, one, { ...more, name: `Operator ${i}` })).id);
    for (const id of connectors)
        await bound(client, id);
    const send = async (to, body, rest = {}) => (await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+${to}`, category: 'transactional', content: { type: 'text', text: { body } }, ...rest })).id;
    return { client, channel, connectors, send };
}

/** Of Germany: India's rules are not what is tested here. */
let numbers = 0;
const number = () => `49151${String(10_000_000 + (numbers += 1))}`;

describe('a message', () => {
    test('goes to the operator, is sent, and delivered when the receipt says so', async () => {
        const at = await centre();
        const { client, send } = await shop([at]);
        const to = number();
        const id = await send(to, 'Grüße: 5 €');
        const sent = await client.follow(id, ['sent']);
        const [{ pdu, id: given }] = at.taken(to);
        assert.equal(at.text(to), 'Grüße: 5 €');
        assert.deepEqual([pdu.source_addr, pdu.source_addr_ton, pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.registered_delivery, pdu.data_coding], ['HARKRA', 5, 1, 1, 1, 0]);
        assert.equal(sent.provider_id, given.replace(/^0+/, ''));
        await at.receipt({ id: given, to });
        await client.follow(id, ['delivered']);
    });

    test('of several parts is delivered when all are, and failed when one is', async () => {
        const at = await centre();
        const { client, send } = await shop([at], { binds: { transceivers: 2 } });
        const body = 'नमस्ते! '.repeat(25);
        for (const last of ['DELIVRD', 'UNDELIV']) {
            const to = number();
            const id = await send(to, body);
            await client.follow(id, ['sent']);
            const parts = at.taken(to);
            assert.equal(parts.length, 3);
            assert.equal(at.text(to), body);
            assert.equal(new Set(parts.map(({ session }) => session)).size, 1, 'one bind has all of them');
            assert.deepEqual(parts.map(({ pdu }) => [...pdu.short_message.udh[0].subarray(-2)]), [[3, 1], [3, 2], [3, 3]]);
            await at.receipt(parts[2], last);
            await at.receipt(parts[0]);
            await at.receipt(parts[0]);
            await at.receipt(parts[1]);
            await client.follow(id, [last === 'DELIVRD' ? 'delivered' : 'failed']);
        }
    });

    test('that is throttled leaves again, and its connector slows down', async () => {
        const at = await centre();
        const { client, connectors, send } = await shop([at]);
        at.judge = (_pdu, count) => (count === 0 ? smpp.ESME_RTHROTTLED : smpp.ESME_ROK);
        const to = number();
        const id = await send(to, 'Slowly');
        const sent = await client.follow(id, ['sent']);
        assert.equal(sent.attempt_count ?? 1, 1);
        assert.equal(at.submits.length, 2);
        assert.match(platform.log(), /smsc\.throttled/);
        assert.equal((await state(client, connectors[0])).state, 'active');
    });

    test('that an operator has no use for fails with its reason', async () => {
        const at = await centre();
        const { client, send } = await shop([at]);
        at.judge = () => smpp.ESME_RINVDSTADR;
        const failed = await client.follow(await send(number(), 'Nobody'), ['failed']);
        assert.equal(failed.error.code, 'smpp-0x0b');
    });

    test('goes through the next connector where the first is down or refuses for now', async () => {
        const [first, second] = [await centre(), await centre()];
        const { client, send } = await shop([first, second]);
        first.judge = () => smpp.ESME_RSYSERR;
        const to = number();
        await client.follow(await send(to, 'Second choice'), ['sent']);
        assert.equal(first.taken(to).length, 0);
        assert.equal(second.taken(to).length, 1);
        first.stop();
        const other = number();
        await client.follow(await send(other, 'Still there'), ['sent']);
        assert.equal(second.taken(other).length, 1);
    });

    test('whose answer is lost is uncertain, and an OTP is sent again', async () => {
        const at = await centre();
        const { client, send } = await shop([at]);
        at.judge = (pdu, count) => {
            if (count > 0)
                return smpp.ESME_ROK;
            setImmediate(() => at.sessions.forEach((session) => session.destroy()));
            return null;
        };
        const to = number();
        const id = await send(to, 'Your code is 1234', { category: 'otp' });
        await client.follow(id, ['uncertain']);
        await client.follow(id, ['sent']);
        assert.equal(at.submits.filter((one) => one.to === to).length, 2);
    });

    test('to India leaves when the registry knows its text, with what the operator asks for; else it is stopped here', async () => {
        const one = await centre(), { client, channel } = await shop([one], { dlt: { entity_tag: 0x1400, template_tag: 0x1401, chain_tag: 0x1402 } });
        const entity = await client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Acme' });
        await client.must(201, 'POST', '/v1/dlt/chains', { entity_id: entity.id, telemarketers: [{ registered_id: '1101172974420830004' }] });
        const template = { entity_id: entity.id, kind: 'content', name: 'Shipped', headers: ['HARKRA'] };
        const send = (to, body, more = {}) => client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+${to}`, category: 'transactional', content: { type: 'text', text: { body } }, ...more });
        const TEXT = 'Dear Asha, your order has shipped. -HK', to = '919876543210';
        const early = await send(to, TEXT);
        assert.deepEqual([early.status, early.policy.accepted.rule, early.policy.accepted.facts.dlt], ['blocked', 'dlt', 'header-unknown']);
        await client.must(201, 'POST', '/v1/dlt/headers', { entity_id: entity.id, name: 'HARKRA' });
        await client.must(201, 'POST', '/v1/dlt/templates', { ...template, registered_id: '1107172974420840007', category: 'service', text: 'Dear {#var#}, your order has shipped. -HK' });
        const good = await send(to, TEXT);
        await client.follow(good.id, ['sent']);
        const [{ pdu }] = one.taken(to);
        assert.deepEqual([pdu.dlt_entity, pdu.dlt_template, pdu.dlt_chain].map(String), ['1101172974420810001', '1107172974420840007', 'c0c951afca257c5b87c3da535c09112080483f35b7e6faf35e2428b3b526b694']);
        for (const [body, fact, more] of [['Dear Asha, your order has not shipped. -HK', 'not-matched'], [TEXT, 'category', { category: 'promotional' }]]) {
            const { id, status, policy } = await send(to, body, more);
            assert.deepEqual([status, policy.accepted.rule, policy.accepted.facts.dlt], ['blocked', 'dlt', fact]);
            assert.equal((await client.must(200, 'GET', `/v1/messages/${id}`)).status, 'blocked');
        }
        assert.equal((await send(number(), 'Anything at all')).status, 'accepted', 'what goes elsewhere is not the registry\'s');
        assert.equal(one.taken(to).length, 1);
    });

    test('to India by a further sender, or as the answer to a keyword, is judged by the registry, too', async () => {
        const one = await centre(), { client, channel } = await shop([one], { dlt: { entity_tag: 0x1400, template_tag: 0x1401, chain_tag: 0x1402 } });
        const entity = await client.must(201, 'POST', '/v1/dlt/entities', { registered_id: '1101172974420810001', name: 'Acme' });
        await client.must(201, 'POST', '/v1/dlt/headers', { entity_id: entity.id, name: 'HARKRA' });
        const template = { entity_id: entity.id, kind: 'content', headers: ['HARKRA'], category: 'service' };
        await client.must(201, 'POST', '/v1/dlt/templates', { ...template, name: 'Shipped', registered_id: '1107172974420840007', text: 'Dear {#var#}, your order has shipped. -HK' });
        await client.must(201, 'POST', '/v1/dlt/templates', { ...template, name: 'Under way', registered_id: '1107172974420840008', text: 'Your order {#var#} is under way to you. -HK' });
        const text = (/** @type {string} */ body) => ({ type: 'text', text: { body } }), to = '919876543211', from = '919876543212';
        one.judge = (pdu) => (String(pdu.dlt_template) === '1107172974420840007' ? smpp.ESME_RINVDSTADR : smpp.ESME_ROK);
        const { id } = await client.must(202, 'POST', '/v1/messages', {
            channel_id: channel, to: `+${to}`, category: 'transactional', content: text('Dear Asha, your order has shipped. -HK'),
            fallback: [{ channel_id: channel, content: text('No template has this text. -HK') }, { channel_id: channel, content: text('Your order 7 is under way to you. -HK') }],
        });
        const { senders } = await client.follow(id, ['sent']);
        assert.deepEqual(senders.map(({ state, policy }) => [state, policy.rule, policy.facts.dlt]), [['left', null, 'ok'], ['skipped', 'dlt', 'not-matched'], ['in-use', null, 'ok']]);
        assert.deepEqual(one.taken(to).map(({ pdu }) => String(pdu.dlt_template)), ['1107172974420840008']);

        await one.deliver({ source_addr_ton: 1, source_addr_npi: 1, source_addr: from, destination_addr: 'HARKRA', short_message: 'STOP' });
        const answer = await until(async () => (await client.must(200, 'GET', '/v1/messages?status=blocked&limit=1')).data[0], 'the answer');
        assert.deepEqual([answer.to, answer.policy.accepted.rule, answer.policy.accepted.facts.dlt], [`+${from}`, 'dlt', 'not-matched']);
        assert.equal(one.taken(from).length, 0);
    });

    test('that says stop is heard, answered once, and ends promotional ones', async () => {
        const one = await centre(), { client, channel, connectors } = await shop([one]), from = number();
        assert.ok(connectors.length === 1);
        /* The offer itself comes when it is an hour for it. */
        const answers = () => one.taken(from).filter(({ pdu }) => pdu.short_message.message !== 'Half price.').length;
        const offer = async () => (await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+${from}`, category: 'promotional', content: { type: 'text', text: { body: 'Half price.' } } })).policy.accepted;
        await client.must(201, 'POST', '/v1/consents', { address: `+${from}`, channel: 'sms', purpose: 'promotional', state: 'granted', method: 'web-form', evidence: { form_id: 'footer' } });
        assert.notEqual((await offer()).rule, 'consent');
        for (let i = 0; i < 2; i++)
            await one.deliver({ source_addr_ton: 1, source_addr_npi: 1, source_addr: from, destination_addr: 'HARKRA', short_message: 'Stop!' });
        await until(() => answers() === 1, 'the answer');
        const { decision, rule } = await offer();
        assert.equal(decision, 'block');
        assert.ok(rule === 'suppression' || rule === 'consent', rule);
        assert.equal(answers(), 1, 'answered once');
    });

    test('that comes in is there, with its text', async () => {
        const at = await centre();
        const { client } = await shop([at]);
        const from = number();
        const answer = await at.deliver({ source_addr_ton: 1, source_addr_npi: 1, source_addr: from, destination_addr: 'HARKRA', data_coding: 8, short_message: 'हाँ, ठीक है' });
        assert.equal(answer.command_status, 0);
        const message = await until(async () => (await client.must(200, 'GET', '/v1/messages?direction=inbound&limit=1')).data[0], 'the message');
        const read = await client.must(200, 'GET', `/v1/messages/${message.id}`);
        assert.equal(read.content.text.body, 'हाँ, ठीक है');
    });
});

describe('a connector', () => {
    test('whose account is refused is broken, and bound again once its password is mended', async () => {
        const at = await centre();
        at.password = 'another';
        const { client } = await platform.workspace({ channel: false });
        const made = await connector(client, at);
        const broken = await until(async () => { const shown = await state(client, made.id); return shown.state === 'broken' && shown; }, 'the connector to be broken');
        assert.match(broken.state_reason, /ESME_RINVPASWD/);
        const binds = at.binds;
        at.password = 'mended-1';
        await client.must(200, 'PATCH', `/v1/sms/connectors/${made.id}`, { password: 'mended-1', state: 'active' });
        await bound(client, made.id);
        assert.equal(at.binds, binds + 1, 'it was left alone meanwhile');
    });

    test('tells how it does: to webhooks, on the stream and in the overview', async () => {
        const at = await centre();
        const { client, receiver } = await platform.workspace({ endpoint: true });
        const changes = [], stop = new AbortController();
        const response = await fetch(`${platform.url}/v1/stream`, { headers: { authorization: `Bearer ${client.key}` }, signal: stop.signal });
        const reading = (async () => {
            let text = '';
            for await (const part of response.body) {
                text += Buffer.from(part).toString();
                changes.splice(0, changes.length, ...[...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data)).filter(({ topic }) => topic === 'connectors'));
            }
        })().catch(() => {});
        const told = (type) => receiver.events().filter((event) => event.type === type).map(({ data }) => data);
        const channel = (await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Shop', sms: { sender: 'HARKRA', sender_kind: 'alphanumeric' } })).id;
        const { id } = await connector(client, at);
        const about = { connector_id: id, name: 'Operator', state: 'active', reason: null, per_second: null };
        await until(() => told('connector.connected').length > 0, 'the bind to be told');
        assert.deepEqual(told('connector.connected')[0], about);
        await until(() => changes.some(({ ids }) => ids?.includes(id)), 'the stream');
        at.judge = (_, count) => (count < 3 ? smpp.ESME_RTHROTTLED : 0);
        const message = (await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+${number()}`, category: 'otp', content: { type: 'text', text: { body: 'Slowly' } } })).id;
        await client.follow(message, ['sent']);
        await until(() => told('connector.throttled').length > 0, 'the throttle to be told');
        assert.deepEqual({ ...told('connector.throttled')[0], per_second: null }, { ...about, reason: 'The operator asked us to slow down.' });
        assert.ok(told('connector.throttled')[0].per_second < 200);
        at.password = 'another';
        at.sessions.forEach((session) => session.destroy());
        await until(() => told('connector.broken').length > 0, 'the refusal to be told');
        assert.deepEqual(told('connector.disconnected'), [{ ...about, reason: 'The connection to the operator was lost.' }]);
        assert.deepEqual(told('connector.broken'), [{ ...about, state: 'broken', reason: 'The operator refused the account (ESME_RINVPASWD).' }]);
        assert.equal(told('connector.throttled').length, 1, 'once for all of it');
        const { attention } = await client.must(200, 'GET', '/v1/overview');
        assert.deepEqual(attention.filter(({ kind }) => kind.startsWith('connector')).map(({ kind, severity, object_id, name, detail }) => [kind, severity, object_id, name, detail]),
            [['connector-broken', 'critical', id, 'Operator', 'The operator refused the account (ESME_RINVPASWD).']]);
        stop.abort();
        await reading;
    });

    test('that is paused unbinds', async () => {
        const at = await centre();
        const { client, connectors } = await shop([at]);
        await client.must(200, 'PATCH', `/v1/sms/connectors/${connectors[0]}`, { state: 'paused' });
        await until(() => at.sessions.size === 0, 'the unbind');
    });
});

describe('when smsc is killed', () => {
    test('nothing is lost, and only what nobody could know comes twice', async () => {
        const at = await centre();
        const { client, send } = await shop([at], { per_second: 100 });
        const all = await Promise.all(Array.from({ length: 150 }, async () => { const to = number(); return { to, id: await send(to, 'Once', { category: 'otp' }) }; }));
        await until(() => at.submits.length > 30, 'some to have left');
        const unanswered = at.submits.length;
        const [pid] = await platform.pids('smsc');
        process.kill(pid, 'SIGKILL');
        for (const { id } of all)
            await client.follow(id, ['sent', 'delivered']);
        const twice = all.filter(({ to }) => at.taken(to).length > 1);
        all.forEach(({ to }) => assert.ok(at.taken(to).length >= 1));
        assert.ok(twice.length <= 128, `${twice.length} of ${unanswered} came twice`);
        assert.ok(all.every(({ to }) => at.taken(to).length <= 2));
    });

    test('told to stop, it lets what is out come back and unbinds', async () => {
        const at = await centre();
        const { client, send } = await shop([at]);
        const all = await Promise.all(Array.from({ length: 40 }, async () => { const to = number(); return { to, id: await send(to, 'Once') }; }));
        await until(() => at.submits.length > 0, 'the first to have left');
        await platform.harkara.stop();
        await platform.restart();
        await platform.whole();
        for (const { id } of all)
            await client.follow(id, ['sent', 'delivered']);
        assert.ok(all.every(({ to }) => at.taken(to).length === 1));
    });
});
