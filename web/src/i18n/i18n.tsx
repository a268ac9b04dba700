import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import { createIntl, createIntlCache, type IntlShape } from 'react-intl';
import en from './en.json';

export type Word = keyof typeof en;
export type Locale = 'en' | 'hi';
export type Values = Record<string, string | number | Date>;
export type Translate = (word: Word, values?: Values) => string;

interface Language {
    locale: Locale;
    setLocale: (locale: Locale) => void;
    intl: IntlShape;
    t: Translate;
}

/** For what is said outside of any component, such as a notice: in the language of the page. */
let current: Translate = (word) => en[word];
export function translateNow(word: Word): string {
    return current(word);
}

const cache = createIntlCache();
const Context = createContext<Language | null>(null);
const KEPT = 'harkara-locale';

/** How numbers and dates are written: with India's grouping in both languages. */
export const formats: Record<Locale, string> = { en: 'en-IN', hi: 'hi-IN-u-nu-latn' };

function keptLocale(): Locale {
    const kept = localStorage.getItem(KEPT);
    if (kept === 'en' || kept === 'hi')
        return kept;
    return navigator.language.startsWith('hi') ? 'hi' : 'en';
}

export function makeIntl(locale: Locale, messages: Record<string, string>): IntlShape {
    return createIntl({ locale: formats[locale], messages, onError: (error) => { throw error; } }, cache);
}

export function I18n({ children }: { children: ReactNode }) {
    const [locale, setLocale] = useState<Locale>(keptLocale);
    const [messages, setMessages] = useState<{ locale: Locale; of: Record<string, string> } | null>(locale === 'en' ? { locale, of: en } : null);

    useEffect(() => {
        let isCurrent = true;
        document.documentElement.lang = locale;
        if (locale === 'en')
            setMessages({ locale, of: en });
        else
            void import('./hi.json').then((hindi) => { if (isCurrent) setMessages({ locale, of: hindi.default }); });
        return () => { isCurrent = false; };
    }, [locale]);

    const language = useMemo<Language | null>(() => {
        if (messages === null)
            return null;
        const intl = makeIntl(messages.locale, messages.of);
        current = (word, values) => intl.formatMessage({ id: word }, values);
        return {
            locale: messages.locale, intl,
            setLocale: (chosen) => { localStorage.setItem(KEPT, chosen); setLocale(chosen); },
            t: (word, values) => intl.formatMessage({ id: word }, values),
        };
    }, [messages]);

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
