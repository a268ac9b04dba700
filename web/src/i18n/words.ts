import base from './en/base.json';

/** What each area holds. A type costs nothing in the bundle; a new file of words is named here. */
interface Areas {
    audit: typeof import('./en/audit.json');
    base: typeof import('./en/base.json');
    channels: typeof import('./en/channels.json');
    consent: typeof import('./en/consent.json');
    dlt: typeof import('./en/dlt.json');
    dnd: typeof import('./en/dnd.json');
    keys: typeof import('./en/keys.json');
    limits: typeof import('./en/limits.json');
    messages: typeof import('./en/messages.json');
    policy: typeof import('./en/policy.json');
    receipts: typeof import('./en/receipts.json');
    reference: typeof import('./en/reference.json');
    scopes: typeof import('./en/scopes.json');
    security: typeof import('./en/security.json');
    settings: typeof import('./en/settings.json');
    'sign-in': typeof import('./en/sign-in.json');
    sms: typeof import('./en/sms.json');
    team: typeof import('./en/team.json');
    templates: typeof import('./en/templates.json');
    webhooks: typeof import('./en/webhooks.json');
}

export type Area = keyof Areas;
export type Word = { [A in Area]: keyof Areas[A] }[Area];
export type Locale = 'en' | 'hi';
export type Messages = Record<string, string>;
export type Files = Record<string, () => Promise<Messages>>;

/** All but the English of `base`, which the first view has with it. */
const files: Files = import.meta.glob<Messages>(['./en/*.json', '!./en/base.json', './hi/*.json'], { import: 'default' });

/**
 * The words that are there: `base`, and each area that a page has asked for. They are kept in the language that is shown and, while
 * another is on its way, in both, so that no page is ever without a word of its own.
 */
export class Words {
    readonly messages: Record<Locale, Messages>;
    shown: Locale | null = null;
    private readonly asked = new Set<Area>(['base']);
    private readonly loads = new Map<string, Promise<void>>();
    private readonly listeners = new Set<() => void>();
    private coming: Locale;

    constructor(private readonly source: Files, english: Messages, readonly first: Locale) {
        this.messages = { en: { ...english }, hi: {} };
        this.loads.set('./en/base.json', Promise.resolve());
        this.coming = first;
        if (first === 'en')
            this.shown = first;
    }

    /** Adds to what is there before it resolves; what could not be fetched is asked for again the next time. */
    private fetch(locale: Locale, area: Area): Promise<void> {
        const name = `./${locale}/${area}.json`;
        const begun = this.loads.get(name);
        if (begun !== undefined)
            return begun;
        const file = this.source[name];
        const load = (file === undefined ? Promise.reject(new Error(`no words in ${name}`)) : file())
            .then((words) => { Object.assign(this.messages[locale], words); }, (error: unknown) => { this.loads.delete(name); throw error; });
        this.loads.set(name, load);
        return load;
    }

    /** Resolves when every area is there in the language that is shown, and in the one that will be. */
    async load(areas: readonly Area[]): Promise<void> {
        for (const area of areas)
            this.asked.add(area);
        for (;;) {
            const locales = new Set([this.shown ?? this.coming, this.coming]);
            await Promise.all([...locales].flatMap((locale) => areas.map((area) => this.fetch(locale, area))));
            if ([this.shown ?? this.coming, this.coming].every((locale) => locales.has(locale)))
                return;
        }
    }

    /** Shows another language once every word that was asked for is there in it; the one chosen last wins. */
    async show(locale: Locale): Promise<void> {
        this.coming = locale;
        try {
            for (let size = 0; size !== this.asked.size && this.coming === locale;) {
                size = this.asked.size;
                await Promise.all([...this.asked].map((area) => this.fetch(locale, area)));
            }
        } catch (error) {
            if (this.coming === locale)
                this.coming = this.shown ?? 'en';
            throw error;
        }
        if (this.coming !== locale)
            return;
        this.shown = locale;
        for (const listener of this.listeners)
            listener();
    }

    readonly subscribe = (listener: () => void): (() => void) => {
        this.listeners.add(listener);
        return () => { this.listeners.delete(listener); };
    };
}

const KEPT = 'harkara-locale';

function keptLocale(): Locale {
    const kept = localStorage.getItem(KEPT);
    if (kept === 'en' || kept === 'hi')
        return kept;
    return navigator.language.startsWith('hi') ? 'hi' : 'en';
}

export function keepLocale(locale: Locale): void {
    localStorage.setItem(KEPT, locale);
}

let kept: Words | undefined;
/** The page's own. */
export function words(): Words {
    kept ??= new Words(files, base, keptLocale());
    return kept;
}
