import type { SmsConnector, SmsLink } from '@/api/types';
import type { Shown } from '@/components/status';
import type { Values, Word } from '@/i18n/i18n';

/** How many links are kept up. */
export function linksWanted({ binds }: Pick<SmsConnector, 'binds'>): number {
    return (binds.transceivers ?? 0) + (binds.transmitters ?? 0) + (binds.receivers ?? 0);
}

export function linkState(link: Pick<SmsLink, 'state' | 'is_stale'>): Shown {
    if (link.is_stale)
        return 'stale';
    return link.state === 'closed' ? 'unbound' : link.state;
}

/** One word for all links of an operator: what its state says, then the best that can be said of what was heard last. */
export function healthOf(connector: Pick<SmsConnector, 'state' | 'binds' | 'links'>): Shown {
    if (connector.state !== 'active')
        return connector.state;
    const { links } = connector;
    if (links.length === 0)
        return 'connecting';
    const fresh = links.filter((link) => !link.is_stale);
    if (fresh.length === 0)
        return 'stale';
    const bound = fresh.filter((link) => link.state === 'bound').length;
    if (bound !== 0)
        return bound >= linksWanted(connector) ? 'bound' : 'partly';
    return fresh.some((link) => link.state === 'waiting') ? 'waiting' : 'connecting';
}

export interface Figures { bound: number; wanted: number; inFlight: number; window: number; pace: number | null }

/** What is bound, what is on its way, and how fast it goes now. */
export function figuresOf(connector: Pick<SmsConnector, 'binds' | 'links' | 'window'>): Figures {
    const bound = connector.links.filter((link) => link.state === 'bound' && !link.is_stale);
    const sends = bound.filter((link) => link.kind !== 'receiver');
    return { bound: bound.length, wanted: linksWanted(connector), inFlight: sends.reduce((sum, link) => sum + link.in_flight, 0), window: sends.length * connector.window, pace: sends.find((link) => link.per_second !== null)?.per_second ?? null };
}

const sentences: Record<string, Word> = {
    "The host's name has no address.": 'sms.why.no_address',
    "The host's address is not a public one, and not allowed here.": 'sms.why.private',
    "The host's name was not answered.": 'sms.why.name',
    'The host did not answer.': 'sms.why.silent_host',
    'No connection could be made.': 'sms.why.no_connection',
    'The bind cannot be written: look at system_id and password.': 'sms.why.unwritable',
};
const accounts: Record<string, Word> = { ESME_RINVPASWD: 'sms.why.password', ESME_RINVSYSID: 'sms.why.system_id', ESME_RINVSYSTYP: 'sms.why.system_type' };
const ends: Record<string, Word> = {
    unbound: 'sms.why.ended', peer_unbound: 'sms.why.peer_unbound', peer_gone: 'sms.why.peer_gone', bind_timeout: 'sms.why.bind_timeout', silent: 'sms.why.silent', inactive: 'sms.why.silent', stalled: 'sms.why.silent', protocol: 'sms.why.protocol',
};

/** Why a link is not bound, in plain words; what nobody has put into words yet is shown as it was told. */
export function whyOf(detail: string | null): { word: Word; values: Values } | { told: string } | null {
    if (detail === null || detail === '')
        return null;
    const known = sentences[detail];
    if (known !== undefined)
        return { word: known, values: {} };
    const code = /\((\w+)\)\.$/.exec(detail)?.[1] ?? '';
    if (detail.startsWith('The operator refused the account'))
        return { word: accounts[code] ?? 'sms.why.account', values: { code } };
    if (detail.startsWith('The operator refused the bind'))
        return { word: 'sms.why.bind', values: { code } };
    const end = ends[code];
    if (detail.startsWith('The session ended') && end !== undefined)
        return { word: end, values: {} };
    if (/connection refused/i.test(detail))
        return { word: 'sms.why.closed_port', values: {} };
    return { told: detail };
}

/** What to do about a broken operator: by what it refused. */
export function adviceOf(reason: string | null): Word {
    const why = whyOf(reason);
    const word = why !== null && 'word' in why ? why.word : null;
    return word === 'sms.why.password' ? 'sms.broken.password' : word === 'sms.why.system_id' ? 'sms.broken.system_id' : word === 'sms.why.system_type' ? 'sms.broken.system_type' : 'sms.broken.account';
}
