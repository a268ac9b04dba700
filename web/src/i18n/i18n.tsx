import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from 'react';
import { createIntl, createIntlCache, type IntlShape } from 'react-intl';
import base from './en/base.json';
import { keepLocale, words, type Locale, type Messages, type Word } from './words';

export type { Area, Locale, Word } from './words';
export type Values = Record<string, string | number | Date>;
export type Translate = (word: Word, values?: Values) => string;

interface Language {
    locale: Locale;
    setLocale: (locale: Locale) => void;
    intl: IntlShape;
    t: Translate;
}

/** For what is said outside of any component, such as a notice: in the language of the page. */
let current: Translate = (word) => (base as Messages)[word] ?? word;
export function translateNow(word: Word): string {
    return current(word);
}

const cache = createIntlCache();
const Context = createContext<Language | null>(null);

/** How numbers and dates are written: with India's grouping in both languages. */
export const formats: Record<Locale, string> = { en: 'en-IN', hi: 'hi-IN-u-nu-latn' };

/** @param messages those of later areas are added to them in place, before a page that needs them is there */
export function makeIntl(locale: Locale, messages: Messages): IntlShape {
    return createIntl({ locale: formats[locale], messages, onError: (error) => { throw error; } }, cache);
}

/** Keeps what is chosen; a language whose words cannot be fetched leaves the one that is there. */
function choose(locale: Locale): void {
    words().show(locale).then(() => { keepLocale(words().shown ?? locale); }, () => undefined);
}

export function I18n({ children }: { children: ReactNode }) {
    const all = words();
    const shown = useSyncExternalStore(all.subscribe, () => all.shown);

    useEffect(() => {
        if (all.shown === null)
            all.show(all.first).catch(() => all.show('en'));
    }, [all]);

    useEffect(() => {
        if (shown !== null)
            document.documentElement.lang = shown;
    }, [shown]);

    const language = useMemo<Language | null>(() => {
        if (shown === null)
            return null;
        const intl = makeIntl(shown, all.messages[shown]);
        current = (word, values) => intl.formatMessage({ id: word }, values);
        return { locale: shown, intl, setLocale: choose, t: (word, values) => intl.formatMessage({ id: word }, values) };
    }, [all, shown]);

    return language === null ? null : <Context.Provider value={language}>{children}</Context.Provider>;
}

export function useLanguage(): Language {
    const language = useContext(Context);
    if (language === null)
        throw new Error('useLanguage outside of I18n');
    return language;
}

export function useT(): Translate {
    return useLanguage().t;
}
