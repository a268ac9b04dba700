import { Select, Textarea, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { components } from '@generated/schema';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Channel } from '@/api/types';
import { Problem } from '@/components/basics';
import { useT } from '@/i18n/i18n';
import { codePoint, runsOf, unicodeIn } from './gsm';
import { useRouteNames } from './RoutesOf';

type Count = components['schemas']['SmsCount'];
const rules = ['auto', 'refuse', 'transliterate'] as const;
const PARTS_SHOWN = 12;

/** A text, and what it becomes on its way: nothing of it is sent or kept. */
export function Preview({ channels, first }: { channels: Channel[]; first?: string | undefined }) {
    const t = useT();
    const [channel, setChannel] = useState(first ?? channels[0]?.id ?? '');
    const [to, setTo] = useState('');
    const [body, setBody] = useState('');
    const [rule, setRule] = useState<(typeof rules)[number] | null>(null);
    const number = to.replaceAll(/[\s()-]/g, ''), isNumber = /^\+[0-9]{7,15}$/.test(number);
    const asked = { channel_id: channel, ...(isNumber ? { to: number } : {}), content: { type: 'text' as const, text: { body, preview_url: false }, ...(rule === null ? {} : { sms: { unicode: rule } }) } };
    const [settled] = useDebouncedValue(asked, 250);
    const query = useQuery({
        queryKey: keys.sms.preview(settled), enabled: settled.channel_id !== '' && settled.content.text.body !== '', placeholderData: keepPreviousData, gcTime: 0, retry: false,
        queryFn: () => unwrap(api.POST('/v1/sms/preview', { body: settled })),
    });
    const of = channels.find(({ id }) => id === channel);
    const own = of?.sms?.unicode ?? 'auto';
    const answer = body === '' || query.isError ? undefined : query.data;
    const isRefused = (settled.content.sms?.unicode ?? own) === 'refuse' && (answer?.counts.some((count) => count.alphabet === 'ucs2') ?? false);
    return (
        <div className="preview">
            <div className="stack" style={{ gap: 20 }}>
                <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>
                    <Select label={t('sms.sender')} allowDeselect={false} style={{ flex: '1 1 180px' }} value={channel} onChange={(value) => { setChannel(value ?? channel); }} data={channels.map(({ id, name }) => ({ value: id, label: name }))} />
                    <TextInput label={t('sms.preview.to')} type="tel" autoComplete="off" placeholder="+919876543210" style={{ flex: '1 1 180px' }} value={to} error={to !== '' && !isNumber ? t('sms.bad.recipient') : undefined} onChange={(event) => { setTo(event.currentTarget.value); }} />
                </div>
                <Textarea label={t('sms.preview.text')} description={t('sms.preview.help')} autosize minRows={5} maxRows={14} maxLength={4096} value={body} onChange={(event) => { setBody(event.currentTarget.value); }} />
                <Select label={t('sms.unicode')} description={t(rule === 'transliterate' ? 'sms.unicode.transliterate.help' : 'sms.unicode.help')} clearable value={rule} placeholder={t('sms.unicode.sender', { rule: t(`sms.unicode.${own}`) })} data={rules.map((value) => ({ value, label: t(`sms.unicode.${value}`) }))} onChange={(value) => { setRule(rules.find((each) => each === value) ?? null); }} />
            </div>
            <section aria-live="polite" aria-label={t('sms.preview.answer')} aria-busy={query.isFetching} className="stack">
                {body === '' ? <p className="note quiet" style={{ margin: 0 }}>{t('sms.preview.none')}</p>
                    : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                    : answer === undefined ? <p className="quiet" style={{ margin: 0 }}>{t('loading')}</p>
                    : <>
                        {isRefused && <p className="note" role="alert" style={{ margin: 0 }}>{t('sms.preview.refused')}</p>}
                        {answer.counts.map((count, at) => <Counted key={`${count.connector_id ?? ''} ${at}`} of={count} turn={at + 1} whole={answer.counts.length} partsMax={of?.sms?.parts_max ?? 0} />)}
                        {answer.counts.some((count) => count.alphabet === 'ucs2') && <Offending text={answer.text} />}
                        {answer.changed !== 0 && <div className="stack" style={{ gap: 8 }}><h2 className="small-title">{t('sms.preview.changed', { count: answer.changed })}</h2><div className="bubble" style={{ border: '1px solid var(--hk-line)' }}>{answer.text}</div></div>}
                    </>}
            </section>
        </div>
    );
}

/** Parts as blocks; of the last one, how much is taken. */
function Counted({ of, turn, whole, partsMax }: { of: Count; turn: number; whole: number; partsMax: number }) {
    const t = useT();
    const names = useRouteNames();
    const left = Math.max(0, of.parts * of.part_units - of.units);
    const parts = Array.from({ length: Math.min(of.parts, PARTS_SHOWN) }, (_, at) => at === of.parts - 1 ? 1 - left / of.part_units : 1);
    return (
        <div className="card card-pad stack" style={{ gap: 12 }}>
            <div className="line" style={{ justifyContent: 'space-between' }}>
                <strong>{of.connector_id === null ? t('sms.preview.usual') : names.operator(of.connector_id)}</strong>
                {whole > 1 && <span className="quiet" style={{ fontSize: 13 }}>{t('sms.route.turn', { turn, whole })}</span>}
            </div>
            <div className="line" style={{ gap: '4px 24px', alignItems: 'baseline' }}>
                <span className="figure-number">{t('sms.preview.parts', { count: of.parts })}</span>
                <span className="number quiet">{t('sms.preview.left', { count: left })}</span>
            </div>
            <div className="parts" aria-hidden>{parts.map((share, at) => <span key={at}><span style={{ width: `${share * 100}%` }} /></span>)}{of.parts > PARTS_SHOWN && <span className="quiet number" style={{ all: 'unset', fontSize: 12 }}>+{of.parts - PARTS_SHOWN}</span>}</div>
            <div className="quiet" style={{ fontSize: 13 }}>{t(of.alphabet === 'ucs2' ? 'sms.preview.ucs2' : 'sms.preview.gsm7', { units: of.units, part: of.part_units })}{of.language !== null && <> · {t('sms.preview.language', { language: t(`sms.language.${of.language}`) })}</>}</div>
            {of.is_too_long && <p className="note" role="alert" style={{ margin: 0 }}>{t('sms.preview.too_long', { count: of.parts, most: partsMax })}</p>}
        </div>
    );
}

/** What the 7-bit alphabet does not have, and where it stands. */
function Offending({ text }: { text: string }) {
    const t = useT();
    const found = unicodeIn(text);
    if (found.length === 0)
        return null;
    return (
        <div className="stack" style={{ gap: 8 }}>
            <h2 className="small-title">{t('sms.preview.because', { count: found.length })}</h2>
            <div className="line" style={{ gap: 6 }}>{found.slice(0, 24).map((character) => <span key={character} className="offending"><span style={{ fontSize: 15 }}>{/\s|\p{C}/u.test(character) ? '␣' : character}</span> <span className="mono quiet" style={{ fontSize: 11 }}>{codePoint(character)}</span></span>)}{found.length > 24 && <span className="quiet">+{found.length - 24}</span>}</div>
            <div className="bubble" style={{ border: '1px solid var(--hk-line)' }}>{runsOf(text).map((run, at) => run.isUnicode ? <mark key={at}>{run.text}</mark> : run.text)}</div>
        </div>
    );
}
