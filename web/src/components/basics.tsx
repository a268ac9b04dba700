import { ActionIcon, Button, Skeleton, Tooltip, UnstyledButton } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { IconAlertTriangle, IconArrowLeft, IconCheck, IconCopy, IconLock, IconPlugConnectedX, type Icon } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { ApiError } from '@/api/problem';
import { useLanguage, useT } from '@/i18n/i18n';
import { relativeParts } from './time';

export function Page({ title, purpose, acts, back, children }: { title: string; purpose?: string; acts?: ReactNode; back?: { to: string; word: string }; children: ReactNode }) {
    return (
        <div className="page">
            {back !== undefined && <Link to={back.to} className="back"><IconArrowLeft size={15} aria-hidden />{back.word}</Link>}
            <header className="page-head">
                <div className="grow">
                    <h1>{title}</h1>
                    {purpose !== undefined && <p>{purpose}</p>}
                </div>
                {acts !== undefined && <div className="page-acts">{acts}</div>}
            </header>
            {children}
        </div>
    );
}

/** A time, how long ago, with the whole of it and its zone behind. */
export function When({ at, none = '–' }: { at: string | null | undefined; none?: string }) {
    const { intl, t } = useLanguage();
    if (at === null || at === undefined)
        return <span className="quiet">{none}</span>;
    const date = new Date(at);
    const whole = intl.formatDate(date, { dateStyle: 'medium', timeStyle: 'long' });
    const parts = relativeParts(date.getTime(), Date.now());
    const shown = parts === 'now' ? t('time.now')
        : parts === 'far' ? intl.formatDate(date, { day: 'numeric', month: 'short', year: date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric' })
        : intl.formatRelativeTime(parts.value, parts.unit, { numeric: 'auto', style: 'short' });
    return <Tooltip label={whole}><time dateTime={at} className="number">{shown}</time></Tooltip>;
}

export function Copy({ text, label }: { text: string; label?: string }) {
    const t = useT();
    const clipboard = useClipboard({ timeout: 1500 });
    const word = clipboard.copied ? t('copy.done') : label ?? t('copy.do');
    return (
        <Tooltip label={word}>
            <ActionIcon variant="subtle" color="gray" size="sm" aria-label={word} onClick={() => { clipboard.copy(text); }}>
                {clipboard.copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
            </ActionIcon>
        </Tooltip>
    );
}

/** An id or a code, with a button that copies it. */
export function Code({ text, isShort = false }: { text: string; isShort?: boolean }) {
    return (
        <span style={{ display: 'inline-flex', alignItems: 'center', gap: 2, maxWidth: '100%' }}>
            <span className="mono cut" title={isShort ? text : undefined}>{isShort && text.length > 14 ? `${text.slice(0, 4)}…${text.slice(-6)}` : text}</span>
            <Copy text={text} />
        </span>
    );
}

export function EmptyState({ icon: Mark, title, text, children }: { icon: Icon; title: string; text: string; children?: ReactNode }) {
    return (
        <div className="card empty">
            <div className="empty-mark"><Mark size={24} stroke={1.6} aria-hidden /></div>
            <h2 style={{ margin: 0 }}>{title}</h2>
            <p>{text}</p>
            {children !== undefined && <div className="line" style={{ marginTop: 8, justifyContent: 'center' }}>{children}</div>}
        </div>
    );
}

/** What went wrong, what was not lost, what to do; with the request's id. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
    const t = useT();
    const known = error instanceof ApiError ? error : null;
    if (known?.problem?.code === 'step-up-needed')
        return <p className="note" role="alert" style={{ margin: 0 }}>{t('stepup.dismissed')}</p>;
    if (known?.status === 403)
        return <EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} />;
    const isAway = known?.status === 0;
    const title = isAway ? t('problem.away') : known?.problem?.title ?? t('problem.unknown');
    const advice = isAway ? t('problem.away.text') : known?.status === 404 ? t('problem.gone.text') : known !== null && known.status >= 500 ? t('problem.server.text') : known?.problem?.detail;
    return (
        <div className="problem" role="alert">
            {isAway ? <IconPlugConnectedX size={20} aria-hidden /> : <IconAlertTriangle size={20} aria-hidden />}
            <div className="grow">
                <p style={{ fontWeight: 600 }}>{title}</p>
                {advice !== undefined && <p className="quiet">{advice}</p>}
                {(known?.problem?.errors ?? []).map((fault) => <p key={`${fault.pointer ?? fault.parameter ?? ''}${fault.detail}`}><span className="mono">{fault.pointer ?? fault.parameter}</span> {fault.detail}</p>)}
                {known?.requestId != null && <p className="quiet" style={{ marginTop: 4 }}>{t('problem.request')} <span className="mono">{known.requestId}</span></p>}
            </div>
            {retry !== undefined && <Button variant="default" size="xs" onClick={retry}>{t('problem.retry')}</Button>}
        </div>
    );
}

export function RowsSkeleton({ count = 8 }: { count?: number }) {
    const t = useT();
    return (
        <div className="card" style={{ padding: 12 }} role="status" aria-label={t('loading')}>
            {Array.from({ length: count }, (_, i) => <Skeleton key={i} height={16} my={12} width={`${92 - (i * 17) % 40}%`} />)}
        </div>
    );
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
    return <dl className="facts">{rows.map(([name, value]) => <div key={name} style={{ display: 'contents' }}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

export function Json({ value }: { value: unknown }) {
    const text = JSON.stringify(value, null, 2);
    return <div style={{ position: 'relative' }}><div style={{ position: 'absolute', right: 8, top: 8 }}><Copy text={text} /></div><pre className="pre" tabIndex={0}>{text}</pre></div>;
}

export function QuietButton({ children, onClick }: { children: ReactNode; onClick: () => void }) {
    return <UnstyledButton onClick={onClick} className="quiet" style={{ fontSize: 13, textDecoration: 'underline', textUnderlineOffset: 3 }}>{children}</UnstyledButton>;
}
