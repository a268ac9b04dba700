/** The handset page in a real browser: what arrives is shown and harmless, what a person does is sent. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { PERSON, PHONE, startWorld, defer } from './support.js';
import { Client } from './smsc.js';
import { openBrowser } from './browser.js';

const skip = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].some(existsSync) ? false : 'no Chromium on this machine';
const HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script> *bold* javascript:alert(1) https://a.example/"onmouseover="window.pwned=1';

async function openChat(t, world, size) {
  const browser = await openBrowser();
  defer(t, () => browser.close());
  const page = await browser.page(`${world.url}/handset#${PERSON}/${PHONE}`, size);
  await page.until(`document.querySelector('.composer') !== null`);
  return page;
}

test('hostile text stays text, in the handset and in the log', { skip }, async (t) => {
  const world = await startWorld(t, { account: { verified_name: HOSTILE.slice(0, 70), templates: [{ name: 'bad', language: 'en', components: [{ type: 'BODY', text: HOSTILE }, { type: 'BUTTONS', buttons: [{ type: 'URL', text: HOSTILE, url: 'javascript:window.pwned=1' }, { type: 'QUICK_REPLY', text: HOSTILE }] }] }] } });
  await world.control('inbound', { from: PERSON, name: HOSTILE, text: HOSTILE });
  await world.send({ text: { body: HOSTILE } });
  await world.send({ type: 'template', template: { name: 'bad', language: { code: 'en' } } });
  await world.send({ type: 'document', document: { link: 'https://a.example/x', filename: HOSTILE.slice(0, 200) } });
  await world.send({ type: 'location', location: { latitude: 1, longitude: 2, name: HOSTILE, address: HOSTILE } });
  await world.callback.until((callback) => callback.statuses.length === 8);
  const page = await openChat(t, world, [1280, 900]);
  await page.until(`document.querySelectorAll('.bubble').length === 5`);
  assert.equal(await page.run(`document.querySelectorAll('img[src="x"], #app script, a[href^="javascript"]').length`), 0);
  assert.equal(await page.run(`[...document.querySelectorAll('.words')].some((words) => words.textContent.includes('<script>window.pwned=1</script>'))`), true);
  await page.go(`${world.url}/_sandbox`);
  await page.until(`document.querySelectorAll('tbody tr').length >= 5`);
  assert.equal(await page.run('window.pwned === undefined'), true);
  assert.deepEqual(page.complaints, [], 'no error and no breach of the content security policy');
});

test('without a phone it says what to do, and makes one', { skip }, async (t) => {
  const world = await startWorld(t);
  const browser = await openBrowser();
  defer(t, () => browser.close());
  const page = await browser.page(`${world.url}/handset`, [1280, 800]);
  await page.until(`document.querySelector('.empty .button') !== null`);
  await page.run(`document.querySelector('.empty .button').click()`);
  await page.run(`document.querySelector('[name=wa_id]').value = '+91 98765 43210', document.querySelector('[name=name]').value = 'Asha'`);
  await page.run(`document.querySelector('.new-phone .primary').click()`);
  await page.until(`document.querySelector('.composer') !== null`);
  assert.match(await page.run('location.hash'), new RegExp(`^#919876543210/${PHONE}$`));
});

test('a person reads, taps, picks, writes; and it is live', { skip }, async (t) => {
  const world = await startWorld(t);
  await world.control('inbound', { from: PERSON, name: 'Ana', text: 'hello' });
  const chat = await openChat(t, world, [390, 844]);
  const buttons = (await world.send({ type: 'interactive', interactive: { type: 'button', body: { text: 'Pick *one*' }, action: { buttons: [{ type: 'reply', reply: { id: 'yes', title: 'Yes' } }] } } })).body.messages[0].id;
  await chat.until(`document.querySelector('[data-id="${buttons}"] .action')?.textContent === 'Yes'`);
  assert.equal(await chat.run(`document.querySelector('[data-id="${buttons}"] strong').textContent`), 'one');
  await chat.run(`document.querySelector('[data-id="${buttons}"] .action').click()`);
  await world.callback.until((callback) => callback.inbound.some((message) => message.interactive?.button_reply?.id === 'yes'));
  await world.callback.until((callback) => callback.statuses.some((status) => status.id === buttons && status.status === 'read'), 'answering reads');

  const list = (await world.send({ type: 'interactive', interactive: { type: 'list', body: { text: 'When?' }, action: { button: 'Times', sections: [{ rows: [{ id: 't1', title: 'Morning' }, { id: 't2', title: 'Evening' }] }] } } })).body.messages[0].id;
  await chat.until(`document.querySelector('[data-id="${list}"] .action') !== null`);
  await chat.run(`document.querySelector('[data-id="${list}"] .action').click()`);
  await chat.run(`document.querySelector('input[value="t2"]').click()`);
  await chat.run(`document.querySelector('.list-form button').click()`);
  await world.callback.until((callback) => callback.inbound.some((message) => message.interactive?.list_reply?.id === 't2'));

  await chat.run(`document.querySelector('.compose-box').focus()`);
  await chat.type('Thank you 🙏');
  await chat.key('Enter');
  const [text] = await world.callback.until((callback) => { const found = callback.inbound.filter((message) => message.text?.body === 'Thank you 🙏'); return found.length > 0 && found; });
  await chat.until(`document.querySelector('[data-id="${text.id}"] .ticks.delivered') !== null`);
  await world.send({ to: undefined, status: 'read', message_id: text.id });
  await chat.until(`document.querySelector('[data-id="${text.id}"] .ticks.read') !== null`);

  const last = (await world.send({ text: { body: 'Bye' } })).body.messages[0].id;
  await chat.until(`document.querySelector('#read button') !== null`);
  await chat.run(`document.querySelector('#read button').click()`);
  await world.callback.until((callback) => callback.statuses.some((status) => status.id === last && status.status === 'read'));
  assert.equal(await chat.run('document.documentElement.scrollWidth <= innerWidth'), true, 'nothing sticks out at 390 px');
  assert.deepEqual(chat.complaints, []);
});

test('faults and dials are set by keyboard alone, on a narrow screen too', { skip }, async (t) => {
  const world = await startWorld(t);
  const browser = await openBrowser();
  defer(t, () => browser.close());
  for (const size of [[1200, 900], [360, 740]]) {
    await world.control('faults', undefined, 'DELETE');
    const page = await browser.page(`${world.url}/_sandbox?width=${size[0]}#faults`, size);
    await page.until("document.querySelector('select[name=effect]')");
    await page.run("document.querySelector('[name=to]').focus()");
    await page.type('9198*');
    await page.key('Enter');
    await page.until("document.querySelectorAll('tbody tr').length === 1 && document.activeElement.name === 'effect'");
    const { data } = (await world.control('faults')).body;
    assert.deepEqual([data[0].match.to, data[0].effect], ['9198*', { kind: 'error', code: 131016 }]);
    assert.ok(await page.run("document.querySelector('tbody').textContent.includes('Refuse with a Graph code 131016')"));
    assert.ok(await page.run('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out');
    assert.ok(await page.run("document.querySelector('.top').getBoundingClientRect().bottom <= document.querySelector('h2').getBoundingClientRect().top"), 'nothing lies over another');
    await page.run("[...document.querySelectorAll('#tabs button')].at(-1).click()");
    await page.until("document.querySelector('section.dials')");
    const shown = await page.run("[...document.querySelectorAll('.settings small')].map((name) => name.textContent).sort()");
    assert.deepEqual(shown, Object.keys((await world.control('settings')).body).sort(), 'every setting has its dial');
    assert.deepEqual(page.complaints, []);
  }
});

test('what the platform says of an account is told by hand', { skip }, async (t) => {
  const world = await startWorld(t);
  const browser = await openBrowser();
  defer(t, () => browser.close());
  await world.graph(`/v23.0/${PHONE}`, { body: { new_display_name: 'Green Corner' } });
  const page = await browser.page(`${world.url}/_sandbox#accounts`, [1400, 900]);
  await page.until("document.querySelectorAll('tbody tr').length === 1");
  await page.run("(() => { const select = document.querySelector('select[aria-label^=What]'); select.value = 'Messages restricted'; select.nextElementSibling.click(); })()");
  const told = await world.callback.until((callback) => callback.changes().find((change) => change.field === 'account_update'));
  assert.equal(told.value.restriction_info[0].restriction_type, 'RESTRICTED_BIZ_INITIATED_MESSAGING');
  await page.until("document.querySelector('tbody').textContent.includes('Green Corner')");
  await page.run("[...document.querySelectorAll('button')].find((button) => button.textContent.startsWith('Approve')).click()");
  await world.callback.until((callback) => callback.changes().find((change) => change.field === 'phone_number_name_update' && change.value.decision === 'APPROVED'));
  await page.run("(() => { const select = document.querySelector('select[aria-label^=Quality]'); select.value = 'RED'; select.dispatchEvent(new Event('change')); })()");
  await page.until("document.querySelector('select[aria-label^=Quality]').value === 'RED'");
  assert.equal((await world.graph(`/v23.0/${PHONE}?fields=quality_rating`)).body.quality_rating, 'RED');
  assert.deepEqual(page.complaints, []);
});

test('SMS stand beside WhatsApp: a header cannot be answered, a number can', { skip }, async (t) => {
  const world = await startWorld(t, { smsc: { host: '127.0.0.1', port: 0, settings: { receipt_delay_ms: 1 } } });
  await world.control('smsc/accounts', { system_id: 'acme', password: 'secret', numbers: ['56161'] });
  const client = await Client.open(t, world);
  await client.submit({ destination_addr: PERSON, short_message: HOSTILE.slice(0, 150) });
  await client.receipts();
  const browser = await openBrowser();
  defer(t, () => browser.close());
  const page = await browser.page(`${world.url}/handset#${PERSON}/sms.acme.HRKARA`, [390, 844]);
  await page.until("document.querySelectorAll('.bubble').length === 1");
  assert.equal(await page.run("document.querySelector('.composer').textContent"), 'Nobody can write to HRKARA: it is a name, not a number.');
  await client.submit({ destination_addr: PERSON, short_message: 'Your code is 1234' });
  await page.until("document.querySelectorAll('.bubble').length === 2");
  await page.go(`${world.url}/handset?again#${PERSON}/sms.acme.56161`);
  await page.until("document.querySelector('.compose-box') !== null");
  assert.equal(await page.run("document.querySelector('[aria-label=Attach]') === null"), true);
  await page.run("document.querySelector('.compose-box').focus()");
  await page.type('STOP');
  await page.key('Enter');
  await client.until((list) => list.some((pdu) => pdu.destination_addr === '56161'));
  await page.until("document.querySelector('.mine .words')?.textContent === 'STOP'");
  assert.equal(await page.run('window.pwned === undefined && document.documentElement.scrollWidth <= innerWidth'), true);
  assert.deepEqual(page.complaints, []);
});
