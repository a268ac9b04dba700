/** The message centre, driven by npm smpp: binds, submits, receipts in every form, long messages, what people write, drops, DLT. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULTS } from '../../sandbox/smsc/settings.js';
import { FORMATS } from '../../sandbox/smsc/receipts.js';
import { ask, defer } from './support.js';
import { PERSON, isReceipt, startCentre, textOf } from './smsc.js';

const magic = (kind, digits) => `915550${kind}${String(digits).padStart(5, '0')}`;

test('binds of each kind, and why one is refused', async (t) => {
    const world = await startCentre(t, { settings: { binds_max: 3 } });
    const client = await world.client('none', { bind: false });
    const refused = async (how, fields) => {
        const other = await world.client(how, { bind: false });
        const { command_status: status } = await other.ask(how, fields);
        await other.closed;
        return status;
    };
    assert.equal((await client.ask('submit_sm', { destination_addr: PERSON })).command_status, 0x04, 'not bound yet');
    assert.equal(await refused('bind_transceiver', { system_id: 'nobody', password: 'secret' }), 0x0F);
    assert.equal(await refused('bind_transceiver', { system_id: 'acme', password: 'wrong' }), 0x0E);
    for (const how of ['transceiver', 'transmitter', 'receiver'])
        assert.equal((await world.client(how)).bound.system_id, 'sandbox');
    assert.deepEqual((await world.control('wait?for=links&system_id=acme&count=3')).body.data.map(({ kind }) => kind), ['transceiver', 'transmitter', 'receiver']);
    assert.equal(await refused('bind_transceiver', { system_id: 'acme', password: 'secret' }), 0x05, 'as many as it may have');
    await world.control('accounts', { system_id: 'typed', password: 'p', system_type: 'VMA', binds: ['transmitter'] });
    assert.equal(await refused('bind_transmitter', { system_id: 'typed', password: 'p', system_type: 'SMPP' }), 0x53);
    assert.equal(await refused('bind_transceiver', { system_id: 'typed', password: 'p', system_type: 'VMA' }), 0x0D);
});

test('a receiver submits nothing, a transmitter gets nothing', async (t) => {
    const world = await startCentre(t);
    const receiver = await world.client('receiver'), transmitter = await world.client('transmitter');
    assert.equal((await receiver.submit({})).command_status, 0x04);
    const { message_id: id } = await transmitter.submit({});
    const [receipt] = await receiver.receipts();
    assert.match(textOf(receipt), new RegExp(`^id:${id} sub:001 dlvrd:001 submit date:\\d{10} done date:\\d{10} stat:DELIVRD err:000 text:Hello$`));
    assert.deepEqual([receipt.receipted_message_id, receipt.message_state, receipt.source_addr, receipt.destination_addr], [id, 2, PERSON, 'HRKARA']);
    assert.equal(transmitter.delivered.length, 0);
});

test('over TLS', async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'smsc-tls-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    const world = await startCentre(t, { tls: { dir, port: 0 } });
    const client = await world.client('transceiver', { url: world.smsc_tls_url, rejectUnauthorized: false });
    assert.equal((await client.submit({})).command_status, 0);
    await client.receipts();
    assert.equal((await world.control('links')).body.data[0].tls, true);
});

test('what a submit says wrong has its status', async (t) => {
    const world = await startCentre(t, { account: { senders: ['HRKARA', '56161'] } });
    const client = await world.client();
    const cases = [
        [0x0A, { source_addr: 'OTHER' }], [0x0B, { destination_addr: '12' }], [0x0B, { destination_addr: '+919812345678' }], [0x62, { validity_period: '991122090000022+' }], [0x62, { validity_period: 'tomorrow' }],
        [0x43, { esm_class: 0x40, short_message: Buffer.from([9, 0, 3, 1]) }], [0xC2, { sar_msg_ref_num: 7 }], [0x43, { esm_class: 0x40, short_message: Buffer.from([5, 0, 3, 1, 2, 3, 65]) }], [0, {}],
    ];
    for (const [status, fields] of cases)
        assert.equal((await client.submit(fields)).command_status, status, JSON.stringify(fields));
});

test('each receipt format has its id, state or both, and takes its place', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    for (const format of FORMATS) {
        await world.control('accounts/acme', { settings: { receipt_format: format } }, 'PATCH');
        client.delivered.length = 0;
        const { message_id: id } = await client.submit({});
        const [receipt] = await client.receipts();
        const text = textOf(receipt);
        assert.ok(text.includes(id) || receipt.receipted_message_id === id, `${format}: ${text}`);
        assert.equal(receipt.command, format === 'data_sm' ? 'data_sm' : 'deliver_sm');
        assert.equal(receipt.message_state, 2, format);
    }
    await world.control('accounts/acme', { settings: { receipt_format: 'standard', receipt_tlvs: 'none' } }, 'PATCH');
    client.delivered.length = 0;
    await client.submit({ destination_addr: magic(1, 650) });
    const [rejected] = await client.receipts();
    assert.match(textOf(rejected), /stat:REJECTD err:650/);
    assert.equal(rejected.receipted_message_id, undefined);
    await world.control('accounts/acme', { settings: { receipt_tlvs: 'conflict' } }, 'PATCH');
    client.delivered.length = 0;
    await client.submit({});
    const [odd] = await client.receipts();
    assert.match(textOf(odd), /stat:UNDELIV/);
    assert.equal(odd.message_state, 2);
});

test('ids in one base and receipts in the other', async (t) => {
    const world = await startCentre(t, { settings: { id_style: 'hex', receipt_id: 'decimal', receipt_tlvs: 'none' } });
    const client = await world.client();
    const { message_id: id } = await client.submit({});
    assert.match(id, /^[0-9a-f]{8,}$/);
    assert.ok(textOf((await client.receipts())[0]).startsWith(`id:${BigInt(`0x${id}`)} `));
    await world.control('accounts/acme', { settings: { id_style: 'decimal', receipt_id: 'hex' } }, 'PATCH');
    client.delivered.length = 0;
    const second = (await client.submit({})).message_id;
    assert.ok(textOf((await client.receipts())[0]).startsWith(`id:${BigInt(second).toString(16)} `));
    for (const [style, form] of [['uuid', /^[0-9a-f-]{36}$/], ['long', /^\d{24,}$/], ['zeros', /^0000\d+$/], ['upper', /^[0-9A-F]+$/]]) {
        await world.control('accounts/acme', { settings: { id_style: style } }, 'PATCH');
        assert.match((await client.submit({})).message_id, form);
    }
});

test('numbers that misbehave', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    assert.equal((await client.submit({ destination_addr: magic(2, 0x58) })).command_status, 0x58);
    const times = [];
    for (let i = 0; i < 3; i++)
        times.push((await client.submit({ destination_addr: magic(4, 20) })).command_status);
    assert.deepEqual(times, [20, 20, 0]);
    const states = async (digits, count) => {
        client.delivered.length = 0;
        const { message_id: id } = await client.submit({ destination_addr: magic(3, digits) });
        const of = (pdu) => (digits === 22 ? pdu.receipted_message_id === undefined : pdu.receipted_message_id === (digits === 24 ? '4294967295' : id));
        return (await client.until((list) => list.filter(of).length >= count && list.filter(of), `receipts of ${digits}`)).map((pdu) => pdu.message_state);
    };
    assert.deepEqual(await states(2, 2), [2, 2]);
    assert.deepEqual(await states(10, 1), [3]);
    assert.deepEqual(await states(11, 1), [4]);
    assert.deepEqual(await states(13, 1), [7]);
    assert.deepEqual(await states(14, 3), [1, 6, 2]);
    assert.deepEqual(await states(15, 2), [5, 2]);
    assert.deepEqual(await states(16, 2), [2, 5]);
    await states(24, 1);
    await states(22, 1);
    await world.control('wait?for=idle');
    client.delivered.length = 0;
    const early = client.submit({ destination_addr: magic(3, 3) }).then((answer) => ({ answer, had: client.delivered.length }));
    assert.equal((await early).had, 1, 'the receipt came before the answer');
    const nack = await client.submit({ destination_addr: magic(3, 17) });
    assert.deepEqual([nack.command, nack.command_status], ['generic_nack', 3]);
    const { data } = (await world.control(`messages?to=${magic(3, 17)}`)).body;
    assert.equal(data.length, 0, 'what was not accepted is on no phone');
    await assert.rejects(client.submit({ destination_addr: magic(3, 8) }), /closed/);
    assert.equal((await world.control(`messages?to=${magic(3, 8)}`)).body.total, 1, 'accepted before the cut');
    const again = await world.client();
    await assert.rejects(again.submit({ destination_addr: magic(3, 23) }), /closed/);
});

test('what waits for a link is kept, and an answer that says later is heard', async (t) => {
    const world = await startCentre(t, { settings: { deliver_retry_ms: 1 } });
    const client = await world.client();
    let nos = 0;
    client.answer = () => (nos++ < 2 ? 0x64 : 0);
    await client.submit({});
    await client.receipts();
    assert.equal(nos, 3);
    const gone = await world.client('transmitter');
    client.session.destroy();
    await world.control('wait?for=links&system_id=acme&count=1');
    const { message_id: id } = await gone.submit({});
    await world.control('wait?for=counter&name=receipts&count=2');
    const back = await world.client('receiver');
    assert.equal((await back.receipts())[0].receipted_message_id, id);
    back.answer = () => null; /* no answer at all */
    await world.control('settings', { deliver_timeout_ms: 20 }, 'PATCH');
    await gone.submit({});
    await world.control('wait?for=counter&name=deliveries.again&count=3');
    back.answer = () => 0;
    await back.receipts(2);
});

test('throttling, windows and latency', async (t) => {
    const world = await startCentre(t, { settings: { throughput_per_second: 1 } });
    const client = await world.client();
    const burst = await Promise.all(Array.from({ length: 10 }, () => client.submit({})));
    const throttled = burst.filter(({ command_status: status }) => status === 0x58).length;
    assert.ok(throttled >= 1 && throttled <= 9, `${throttled} of ten`);
    await world.control('settings', { throughput_per_second: 0, window_max: 2, latency_ms: 1000, throttle_status: 20 }, 'PATCH');
    const window = await Promise.all(Array.from({ length: 4 }, () => client.submit({})));
    assert.deepEqual(window.map(({ command_status: status }) => status).sort((a, b) => a - b), [0, 0, 20, 20]);
});

test('long messages come together: by header, SAR and payload, in any order, in any alphabet', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    const seen = async (text) => (await world.control(`wait?for=messages&whole=true&text=${encodeURIComponent(text)}`)).body.data[0];
    const header = (total, seq, octets) => ({ esm_class: 0x40, short_message: Buffer.concat([Buffer.from([5, 0, 3, 0x2A, total, seq]), octets]) });
    await client.submit(header(2, 2, Buffer.from('world')));
    await client.submit(header(2, 1, Buffer.from('Hello ')));
    assert.equal((await seen('Hello world')).how, 'udh8');
    await client.receipts(2);
    const hindi = 'नमस्ते दुनिया';
    const octets = Buffer.from(hindi, 'utf16le').swap16();
    for (const [seq, part] of [[1, octets.subarray(0, 10)], [2, octets.subarray(10)]])
        await client.submit({ data_coding: 8, short_message: part, sar_msg_ref_num: 9, sar_total_segments: 2, sar_segment_seqnum: seq });
    assert.deepEqual([(await seen(hindi)).how, (await seen(hindi)).encoding], ['sar', 'ucs2']);
    const long = 'x'.repeat(1000);
    await client.submit({ short_message: '', message_payload: Buffer.from(long) });
    assert.equal((await seen(long)).how, 'payload');
    await client.submit({ short_message: Buffer.from([0x00, 0x1B, 0x65, 0x02]) });
    assert.equal((await seen('@€$')).encoding, 'gsm');
});

test('what a person writes: short, long in each way, parts in another order', async (t) => {
    const world = await startCentre(t);
    const client = await world.client('receiver');
    await world.control('mo', { from: '+91 98123 45678', to: '56161', text: 'STOP' });
    const [stop] = await client.until((list) => list.length === 1 && list);
    assert.deepEqual([textOf(stop), stop.source_addr, stop.destination_addr, stop.esm_class], ['STOP', PERSON, '56161', 0]);
    const text = 'क'.repeat(70) + '🙏 end';
    for (const how of ['udh8', 'udh16', 'sar', 'payload']) {
        client.delivered.length = 0;
        await world.control('mo', { from: PERSON, to: '56161', text, long: how, ...(how === 'payload' ? {} : { order: [1, 0] }) });
        const count = how === 'payload' ? 1 : 2;
        const got = [...await client.until((list) => list.length === count && list, how)];
        if (how !== 'payload')
            got.reverse();
        assert.equal(got.map(textOf).join(''), text, how);
        if (how === 'sar')
            assert.deepEqual(got.map((pdu) => [pdu.sar_total_segments, pdu.sar_segment_seqnum]), [[2, 1], [2, 2]]);
    }
    assert.equal((await world.control('mo', { from: PERSON, to: '999', text: 'x' })).status, 404);
    await world.control('accounts/acme', { settings: { mo_pdu: 'data_sm' } }, 'PATCH');
    client.delivered.length = 0;
    await world.control('mo', { from: PERSON, to: '56161', text: 'Hi' });
    assert.equal((await client.until((list) => list.length === 1 && list))[0].command, 'data_sm');
});

test('a phone that is off gets its message when it is on again, or never', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    const page = (method, target, body) => ask(`${world.url}/handset/api/${target}`, { method, body });
    await page('POST', 'handsets', { wa_id: PERSON });
    await page('PATCH', `handsets/${PERSON}`, { online: false });
    await client.submit({});
    await world.control('wait?for=counter&name=submits.accepted');
    await page('PATCH', `handsets/${PERSON}`, { online: true });
    assert.match(textOf((await client.receipts())[0]), /stat:DELIVRD/);
    await page('PATCH', `handsets/${PERSON}`, { online: false });
    await client.submit({ validity_period: '000000000001000R' });
    assert.match(textOf((await client.receipts(2))[1]), /stat:EXPIRED err:061/);
});

test('chats by SMS stand on the handset page beside the others', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    const page = async (method, target, body) => (await ask(`${world.url}/handset/api/${target}`, { method, body })).body;
    await client.submit({ short_message: 'Your code is 1234' });
    await client.receipts();
    const { data } = await page('GET', `chats/${PERSON}`);
    assert.deepEqual(data.map((chat) => [chat.name, chat.last?.text ?? null]), [['HRKARA', 'Your code is 1234'], ['56161', null]]);
    const chat = await page('GET', `chats/${PERSON}/${data[0].phone_number_id}`);
    assert.deepEqual([chat.messages[0].status, chat.sms.can_reply], ['delivered', false]);
    assert.match((await page('POST', `chats/${PERSON}/${data[0].phone_number_id}/messages`, { type: 'text', text: 'no' })).error, /Nobody/);
    const written = await page('POST', `chats/${PERSON}/${data[1].phone_number_id}/messages`, { type: 'text', text: 'START' });
    assert.equal(written.direction, 'in');
    assert.equal(textOf((await client.until((list) => list.filter((pdu) => !isReceipt(pdu)).length > 0 && list.filter((pdu) => !isReceipt(pdu))))[0]), 'START');
});

const ENTITY = '1101172974420810001', TEMPLATE = '1107161234567890123', CHAIN = 'c0c951afca257c5b87c3da535c09112080483f35b7e6faf35e2428b3b526b694';
const REGISTRY = {
    entities: [{ id: ENTITY }, { id: '1102', state: 'blacklisted' }], headers: [{ header: 'HRKARA', entity: ENTITY }, { header: 'OTHERS', entity: '1102' }, { header: 'OLDONE', entity: ENTITY, state: 'inactive' }],
    templates: [{ id: TEMPLATE, entity: ENTITY, headers: ['HRKARA'], text: 'Your code is {#var#}.' }, { id: '1108', entity: ENTITY, headers: ['OLDONE'], text: 'x' },
        { id: '1109', entity: ENTITY, headers: ['HRKARA'], text: 'Sale: {#var#}{#var#}', category: 'promotional' }],
    blocked: ['919800000001'],
};

test('the registry says what may go to India, in the operators’ codes', async (t) => {
    const world = await startCentre(t, { settings: { dlt: 'check' } });
    await world.control('dlt', REGISTRY, 'PUT');
    const client = await world.client();
    const code = async (fields) => {
        client.delivered.length = 0;
        const answer = await client.submit({ dlt_entity: ENTITY, dlt_template: TEMPLATE, short_message: 'Your code is 12.', ...fields });
        return answer.command_status !== 0 ? `0x${answer.command_status.toString(16)}` : /err:(\S+)/.exec(textOf((await client.receipts())[0]))[1];
    };
    const cases = [['000', {}], ['000', { destination_addr: '14155550123', dlt_entity: undefined, dlt_template: undefined, short_message: 'x' }], ['0xc3', { dlt_template: undefined }], ['604', { dlt_entity: 'abc' }], ['637', { dlt_template: 'abc' }],
        ['600', { dlt_entity: '999' }], ['603', { dlt_entity: '1102' }], ['620', { source_addr: 'hrkara' }], ['623', { source_addr: 'OTHERS' }], ['621', { source_addr: 'OLDONE' }], ['630', { dlt_template: '5' }], ['634', { dlt_template: '1108' }],
        ['633', { short_message: 'Your code was 12.' }], ['633', { short_message: 'Your code is .' }], ['635', { short_message: `Your code is ${'9'.repeat(31)}.` }], ['650', { dlt_template: '1109', short_message: 'Sale: now', destination_addr: '919800000001' }],
        ['000', { dlt_template: '1109', short_message: 'Sale: now' }]];
    for (const [wanted, fields] of cases)
        assert.equal(await code(fields), wanted, JSON.stringify(fields));
    await world.control('dlt', { ...REGISTRY, chains: [{ entity: ENTITY, telemarketers: ['1101172974420830004'] }] }, 'PUT');
    assert.equal(await code({}), '614');
    assert.equal(await code({ dlt_chain: '0'.repeat(64) }), '615');
    assert.equal(await code({ dlt_chain: CHAIN }), '000');
    await world.control('accounts/acme', { settings: { dlt_answer: 'submit' } }, 'PATCH');
    assert.equal(await code({}), '0xc4');
    assert.equal((await world.control('dlt', { entities: [{}] }, 'PUT')).status, 400);
});

test('faults strike whom they fit, as often as they should', async (t) => {
    const world = await startCentre(t);
    const client = await world.client();
    await world.control('faults', { match: { to: '9198*' }, skip: 1, times: 2, effect: { status: 0x58 } });
    const statuses = [];
    for (let i = 0; i < 4; i++)
        statuses.push((await client.submit({})).command_status);
    assert.deepEqual(statuses, [0, 0x58, 0x58, 0]);
    await world.control('faults', { effect: { receipts: [{ stat: 'UNDELIV', err: '1' }] } });
    client.delivered.length = 0;
    const { message_id: id } = await client.submit({});
    assert.match(textOf((await client.until((list) => list.filter((pdu) => pdu.receipted_message_id === id).length > 0 && list.filter((pdu) => pdu.receipted_message_id === id)))[0]), /stat:UNDELIV err:1 /);
    await world.control('faults', { on: 'bind', effect: { status: 0x0D } });
    await assert.rejects(world.client(), /bind: 13/);
    await world.client();
    for (const bad of [{ effect: { status: 0 } }, { effect: { x: 1 } }, { on: 'x', effect: {} }, { match: { wa_id: '1' }, effect: {} }, {}])
        assert.equal((await world.control('faults', bad)).status, 400, JSON.stringify(bad));
});

test('links end as networks and operators end them', async (t) => {
    const world = await startCentre(t);
    for (const how of ['fin', 'rst', 'unbind', 'torn']) {
        const client = await world.client();
        assert.equal((await world.control('drops', { system_id: 'acme', how })).body.dropped, 1);
        await client.closed;
        await world.control('wait?for=links&system_id=acme&count=0');
    }
    await world.control('settings', { idle_ms: 30 }, 'PATCH');
    const idle = await world.client();
    await idle.closed;
    await world.control('settings', { idle_ms: 0, bind_ms: 20 }, 'PATCH');
    const mute = await world.client('none', { bind: false });
    await mute.closed;
    await world.control('settings', { enquire_ms: 20, bind_ms: 10_000 }, 'PATCH');
    await world.client();
    await world.control('wait?for=counter&name=in.enquire_link_resp');
});

test('octets that are no PDU are answered or end the link, and nothing else', async (t) => {
    const world = await startCentre(t, { settings: { bind_ms: 60_000 } });
    const say = async (hex) => {
        const socket = net.connect(world.port, '127.0.0.1');
        defer(t, () => socket.destroy());
        socket.write(Buffer.from(hex, 'hex'));
        const [octets] = await once(socket, 'data');
        socket.destroy();
        return [octets.readUInt32BE(4), octets.readUInt32BE(8), octets.readUInt32BE(12)];
    };
    assert.deepEqual(await say('0000000f00000015'), [0x80000000, 2, 0], 'too short a length');
    assert.deepEqual(await say('7fffffff00000015'), [0x80000000, 2, 0], 'too long a one');
    assert.deepEqual(await say('00000010000001ff0000000000000007'), [0x80000000, 3, 7], 'a command that nobody knows');
    assert.deepEqual(await say('0000001200000009000000000000000861'.padEnd(36, '6')), [0x80000000, 2, 8], 'a string without an end');
    const client = await world.client();
    assert.equal((await client.submit({})).command_status, 0, 'others go on');
});

test('query, cancel, receipts by hand, octets by hand; messages of others are nobody’s', async (t) => {
    const world = await startCentre(t, { settings: { receipt_when: 'never' } });
    await world.control('accounts', { system_id: 'other', password: 'secret' });
    const client = await world.client(), other = await world.client('transceiver', { system_id: 'other' });
    await world.control('faults', { effect: { receipts: [{ stat: 'ENROUTE', err: '000' }] } });
    const { message_id: id } = await client.submit({});
    assert.equal((await other.ask('query_sm', { message_id: id })).command_status, 0x0C);
    assert.equal((await client.ask('query_sm', { message_id: id })).message_state, 1);
    assert.equal((await client.ask('cancel_sm', { message_id: id })).command_status, 0);
    assert.match(textOf((await client.receipts())[0]), /stat:DELETED/);
    assert.equal((await client.ask('cancel_sm', { message_id: id })).command_status, 0x11);
    await world.control('receipts', { id, stat: 'DELIVRD' });
    assert.match(textOf((await client.receipts(2))[1]), /stat:DELIVRD/);
    await world.control('raw', { system_id: 'acme', hex: '00000010000000150000000000000063' });
    await world.control('wait?for=counter&name=answers.stray');
    assert.equal((await world.control('messages/nothing')).status, 404);
    assert.ok((await world.control('pdus')).body.data.some(({ what, direction }) => what === 'query_sm' && direction === 'in'));
});

test('settings, accounts and their limits are checked', async (t) => {
    const world = await startCentre(t);
    assert.deepEqual(Object.keys((await world.control('settings')).body).sort(), Object.keys(DEFAULTS).sort());
    for (const bad of [{ nothing: 1 }, { id_style: 'x' }, { latency_ms: -1 }, { latency_ms: 'x' }, { clock_minutes: -900 }])
        assert.equal((await world.control('settings', bad, 'PATCH')).status, 400, JSON.stringify(bad));
    for (const bad of [{}, { system_id: 'far too long for one' }, { system_id: 'a', password: 'x'.repeat(17) }, { system_id: 'a', binds: ['x'] }, { system_id: 'a', numbers: ['x'] }])
        assert.equal((await world.control('accounts', bad)).status, 400, JSON.stringify(bad));
    const client = await world.client();
    await world.control('accounts/acme', undefined, 'DELETE');
    await client.closed;
    assert.equal((await world.control('accounts/acme')).status, 404);
});

test('messages, accounts and receipts that are owed survive a restart', async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'smsc-data-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    const { startSandbox } = await import('../../sandbox/graph/server.js');
    const options = { data: path.join(dir, 'state.jsonl'), smsc: { host: '127.0.0.1', port: 0, settings: { receipt_delay_ms: 60_000 } } };
    const first = await startSandbox(options);
    await ask(`${first.url}/_sandbox/smsc/accounts`, { body: { system_id: 'acme', password: 'secret' } });
    const { Client } = await import('./smsc.js');
    const { message_id: id } = await (await Client.open(t, first)).submit({});
    await first.stop();
    const second = await startSandbox({ ...options, smsc: { ...options.smsc, settings: { receipt_delay_ms: 1 } } });
    defer(t, () => second.stop());
    assert.equal((await (await Client.open(t, second)).receipts())[0].receipted_message_id, id);
});

test('what nobody has taken when the centre ends is told again after it: receipts, and the missing parts of what a person wrote', async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'smsc-data-'));
    defer(t, () => rmSync(dir, { recursive: true }));
    const { startSandbox } = await import('../../sandbox/graph/server.js');
    const { Client, PERSON } = await import('./smsc.js');
    const options = { data: path.join(dir, 'state.jsonl'), smsc: { host: '127.0.0.1', port: 0, settings: { receipt_delay_ms: 1 } } };
    const first = await startSandbox(options), control = async (of, path, body) => (await ask(`${of.url}/_sandbox/smsc/${path}`, { body, method: body === undefined ? 'GET' : 'POST' })).body;
    await control(first, 'accounts', { system_id: 'acme', password: 'secret', numbers: ['56161'] });
    const deaf = await Client.open(t, first);
    deaf.answer = (pdu, count) => (count === 0 && (pdu.esm_class & 4) === 0 ? 0 : null); /* one part, no receipt */
    const { message_id: id } = await deaf.submit({});
    const written = await control(first, 'mo', { from: PERSON, to: '56161', text: 'Is the shop open on Sunday? '.repeat(10), long: 'udh8' });
    await control(first, 'wait?for=counter&name=deliveries.taken&count=1');
    await first.stop();
    const second = await startSandbox(options);
    defer(t, () => second.stop());
    const client = await Client.open(t, second);
    await client.until((delivered) => delivered.length === 2, 'what was owed');
    assert.deepEqual((await client.receipts()).map(({ receipted_message_id: of }) => of), [id]);
    await control(second, 'wait?for=idle');
    assert.deepEqual(await control(second, 'owed'), { owed: 0 });
    const { parts } = await control(second, `messages/${written.id}`);
    assert.deepEqual(parts, [{ taken: 1, unanswered: 0 }, { taken: 1, unanswered: 1 }]);
    const [receipt] = (await control(second, `messages/${id}`)).pieces[0].receipts;
    assert.equal(receipt.taken, true);
});

test('the centre runs by itself', async (t) => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../../sandbox/smsc/main.js', import.meta.url)), '--account', 'acme:secret', '--set', 'receipt_delay_ms=1', '--follow-stdin'], { stdio: ['pipe', 'pipe', 'inherit'] });
    defer(t, () => child.kill());
    const [line] = await once(createInterface(child.stdout), 'line');
    const ready = JSON.parse(line);
    const { Client } = await import('./smsc.js');
    const client = await Client.open(t, ready);
    await client.submit({});
    await client.receipts();
    assert.equal((await ask(`${ready.control}/counters`)).body['submits.accepted'], 1);
    assert.equal((await ask(`${ready.control}/counters`, { headers: { origin: 'https://elsewhere.example' } })).status, 404);
    child.stdin.end();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
});
