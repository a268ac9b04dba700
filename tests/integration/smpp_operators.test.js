// @ts-check
/**
 * smsc and message centres that are not ours: the one that Kannel drives its own SMPP with, which takes a link for each way, and one of npm smpp whose whole session
 * tshark reads.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import smpp from 'smpp';
import { defer } from '../sandbox/support.js';
import { pcapOf, startTap } from '../sandbox/smsc.js';
import { freePort, startPlatform, until } from './support.js';

const CENTRE = '/usr/lib/kannel/test/drive_smpp';
/** Where Kannel's centre looks for a bearerbox, too; it cannot be told another place. */
const KANNEL_BOX_PORT = 13001;
const noKannel = existsSync(CENTRE) ? false : 'no Kannel on this machine';
const noTshark = existsSync('/usr/bin/tshark') ? false : 'no tshark on this machine';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
before(async () => { platform = await startPlatform({ env: { HARKARA_SMPP_ALLOW: '127.0.0.0/8' } }); });
after(() => platform?.stop());

/** A workspace with a short code and one operator. @param {number} port @param {Record<string, unknown>} [more] */
async function shop(port, more = {}) {
    const { client } = await platform.workspace({ channel: false });
    const channel = (await client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Shop', sms: { sender: '12345', sender_kind: 'short-code' } })).id;
    const { id } = await client.must(201, 'POST', '/v1/sms/connectors', { name: 'Operator', host: '127.0.0.1', port, tls: false, system_id: 'harkara', password: 'secret-1', per_second: 200, ...more });
    await client.must(201, 'POST', '/v1/sms/routes', { connector_id: id, priority: 0 });
    const operator = () => client.must(200, 'GET', `/v1/sms/connectors/${id}`);
    await until(async () => {
        const { links } = await operator();
        return links.length > 0 && links.every((/** @type {any} */ { state }) => state === 'bound');
    }, 'the operator to be bound');
    const send = async (/** @type {string} */ to, /** @type {string} */ body) => (await client.must(202, 'POST', '/v1/messages', { channel_id: channel, to: `+${to}`, category: 'transactional', content: { type: 'text', text: { body } } })).id;
    const status = async (/** @type {string} */ message) => (await client.must(200, 'GET', `/v1/messages/${message}`)).status;
    return { client, id, operator, send, status };
}

test("Kannel's own message centre takes what we send, and what it brings is there", { skip: noKannel, timeout: 120_000 }, async (t) => {
    const port = await freePort();
    const box = net.createServer((socket) => { socket.on('error', () => {}); socket.resume(); });
    box.on('error', () => {}); /* another one listens there already, and will do */
    box.listen(KANNEL_BOX_PORT, '127.0.0.1');
    defer(t, () => box.close());
    let said = '';
    const centre = spawn(CENTRE, ['-v', '0', '-p', String(port), '-m', '3'], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [centre.stdout, centre.stderr])
        stream.on('data', (octets) => { said += octets; });
    const ended = once(centre, 'exit');
    defer(t, async () => { centre.kill('SIGKILL'); await ended; });
    await until(() => said.includes('accept_thread'), 'the centre to listen');
    const { operator, send, status } = await shop(port, { binds: { transceivers: 0, transmitters: 1, receivers: 1 } });
    const short = await send('4915199000001', 'Kannel takes this'), long = await send('4915199000002', `It takes this, too: ${'a long text, '.repeat(20)}`), hindi = await send('4915199000003', 'आपका कोड 4711 है।');
    for (const message of [short, long, hindi])
        await until(async () => (await status(message)) === 'sent', `${message} to be sent`);
    /* What it says comes by a pipe, and so a little later. One, two parts of the long one, one. */
    await until(() => (said.match(/Handling SMPP PDU of type submit_sm/g) ?? []).length >= 4 && said.includes('submit_sm: short_message = <Kannel takes this>'), 'the centre to tell of all parts');
    assert.equal(said.match(/Handling SMPP PDU of type submit_sm/g)?.length, 4);
    assert.match(said, /PDU of type bind_transmitter/);
    assert.match(said, /PDU of type bind_receiver/);
    await until(() => said.match(/Handling SMPP PDU of type deliver_sm_resp/g)?.length === 3, 'what the centre brings to be taken');
    /* It writes from 456, whom nobody could answer, and with a receipt's id, which makes it none. It is stored, and counted. */
    await until(async () => (await operator()).unrouted.senders === 3, 'what it brought to be counted');
    assert.doesNotMatch(said, /Unhandled SMPP PDU|PANIC/);
});

test('tshark reads our session with an operator, and no PDU is malformed', { skip: noTshark, timeout: 120_000 }, async (t) => {
    /** @type {any[]} */
    const taken = [];
    /** @type {any} */
    let link = null;
    const server = smpp.createServer((session) => {
        session.on('error', () => {});
        session.on('bind_transceiver', (pdu) => { link = session; session.send(pdu.response({ system_id: 'CENTRE' })); });
        session.on('enquire_link', (pdu) => { asked += 1; session.send(pdu.response()); });
        session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
        session.on('submit_sm', (pdu) => {
            const id = (0x10_000 + taken.length).toString(16);
            taken.push({ id, pdu });
            session.send(pdu.response(taken.length === 1 ? { command_status: smpp.ESME_RTHROTTLED } : { message_id: id }));
        });
    });
    let asked = 0;
    await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
    defer(t, () => { link?.destroy(); server.close(); });
    const tap = await startTap(t, /** @type {any} */ (server.address()).port);
    const { client, id, send, status } = await shop(tap.port, { enquire_s: 5, dlt: { entity_tag: 0x1400, template_tag: 0x1401 } });
    const messages = [await send('4915199000011', 'Throttled at first'), await send('4915199000012', `${'a long text, '.repeat(30)}€`), await send('4915199000013', 'आपका कोड 4711 है। '.repeat(6))];
    for (const message of messages)
        await until(async () => (await status(message)) === 'sent', `${message} to be sent`);
    for (const { id: of, pdu } of taken.slice(1))
        await new Promise((done) => link.deliver_sm({ esm_class: 4, source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr, destination_addr: '12345', receipted_message_id: of, message_state: 2,
            short_message: `id:${of} sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:DELIVRD err:000 text:` }, done));
    for (const message of messages)
        await until(async () => (await status(message)) === 'delivered', `${message} to be delivered`);
    await new Promise((done) => link.deliver_sm({ source_addr_ton: 1, source_addr_npi: 1, source_addr: '4915199000011', destination_addr: '12345', short_message: 'Thanks' }, done));
    await until(() => asked > 0, 'a question whether the link lives');
    await client.must(200, 'PATCH', `/v1/sms/connectors/${id}`, { state: 'paused' });
    await until(() => link.closed === true || link.socket?.destroyed === true, 'the link to be ended');
    const dir = mkdtempSync(path.join(tmpdir(), 'tshark-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    writeFileSync(path.join(dir, 'session.pcap'), pcapOf(tap.packets));
    const tshark = (/** @type {string[]} */ ...args) => spawnSync('/usr/bin/tshark', ['-n', '-r', path.join(dir, 'session.pcap'), '-d', 'tcp.port==2775,smpp', ...args], { encoding: 'utf8', env: { ...process.env, HOME: dir } }).stdout;
    const commands = new Set(tshark('-T', 'fields', '-e', 'smpp.command_id').split(/[\s,]+/).filter((text) => text !== '').map(Number));
    const wanted = [4, 5, 6, 9, 0x15].flatMap((command) => [command, command + 0x80000000]);
    assert.deepEqual([...commands].sort((a, b) => a - b), wanted.sort((a, b) => a - b));
    assert.equal(tshark('-Y', '_ws.malformed || _ws.expert.severity == error'), '');
    assert.equal(tshark('-Y', 'smpp.command_id == 4', '-T', 'fields', '-e', 'smpp.sequence_number').split(/[\s,]+/).filter((text) => text !== '').length, taken.length, 'tshark saw each submit');
});
