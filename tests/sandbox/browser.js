/** A headless Chromium by its debugging pipe: two file descriptors, JSON messages that end with a NUL. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--remote-debugging-pipe'];

export async function openBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'sandbox-browser-'));
  const child = spawn(PATHS.find(existsSync), [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const waiting = new Map();
  const pages = new Map();
  let text = '';
  let count = 0;
  child.stdio[4].setEncoding('utf8');
  child.stdio[4].on('data', (part) => {
    text += part;
    for (let end = text.indexOf('\0'); end >= 0; end = text.indexOf('\0')) {
      const message = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      if (message.id !== undefined)
        waiting.get(message.id)?.(message);
      else
        pages.get(message.sessionId)?.heard(message);
    }
  });
  child.stdio[3].on('error', () => {});
  const ask = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    const id = ++count;
    waiting.set(id, ({ result, error }) => { waiting.delete(id); if (error) reject(new Error(`${method}: ${error.message}`)); else resolve(result); });
    child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  });
  return {
    async page(url, [width, height]) {
      const { targetId } = await ask('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
      const page = new Page((method, params) => ask(method, params, sessionId));
      pages.set(sessionId, page);
      for (const domain of ['Page', 'Runtime', 'Log'])
        await page.ask(`${domain}.enable`);
      await page.ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
      await page.go(url);
      return page;
    },
    async close() {
      const ended = once(child, 'exit');
      ask('Browser.close').catch(() => {}); /* its children end with it */
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}

class Page {
  constructor(ask) {
    this.ask = ask;
    /** Errors, warnings and breaches of the content security policy. */
    this.complaints = [];
  }

  heard({ method, params }) {
    if (method === 'Runtime.exceptionThrown')
      this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level))
      this.complaints.push(params.entry.text);
  }

  async go(url) {
    await this.ask('Page.navigate', { url });
  }

  async run(expression) {
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Looks again at each frame that the page draws, until the condition holds. */
  async until(condition) {
    const held = await this.run(`new Promise((resolve) => { const end = performance.now() + 60000; const look = () => { if (${condition}) resolve(true); else if (performance.now() > end) resolve(false); else setTimeout(look, 20); }; look(); })`)
      .catch((error) => (/context was destroyed|navigated/i.test(error.message) ? this.until(condition).then(() => true) : Promise.reject(error)));
    if (!held)
      throw new Error(`the page never had: ${condition}`);
  }

  type(text) {
    return this.ask('Input.insertText', { text });
  }

  async key(key) {
    for (const type of ['keyDown', 'keyUp'])
      await this.ask('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: key === 'Enter' ? 13 : 0, text: type === 'keyDown' && key === 'Enter' ? '\r' : undefined });
  }
}
