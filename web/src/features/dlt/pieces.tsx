import { Button, Modal, TextInput } from '@mantine/core';
import { IconBan, IconCalendarOff, IconCircleMinus, IconClockPause, type Icon } from '@tabler/icons-react';
import { Fragment, useState } from 'react';
import type { DltHeader, DltTemplate } from '@/api/types';
import { Problem, When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { useT } from '@/i18n/i18n';
import { compared, piecesOf, tagsOf, visible, type Place } from './text';

type State = DltHeader['state'] | 'suspended';
const looks: Record<Exclude<State, 'active'>, { icon: Icon; colour: string }> = {
    inactive: { icon: IconCircleMinus, colour: 'grey' }, blacklisted: { icon: IconBan, colour: 'red' }, suspended: { icon: IconClockPause, colour: 'orange' },
    'suspended-validity': { icon: IconCalendarOff, colour: 'orange' }, 'suspended-usage': { icon: IconClockPause, colour: 'orange' },
};

/** What the registry says of it, and before that a pause of the workspace's own. */
export function RegistryState({ state, isPaused = false }: { state: State; isPaused?: boolean }) {
    const t = useT();
    if (isPaused || state === 'active')
        return <StatusBadge state={isPaused ? 'paused' : 'active'} />;
    const { icon: Mark, colour } = looks[state];
    return <span className="badge" style={{ ['--st' as string]: `var(--st-${colour})` }}><Mark size={16} stroke={1.8} aria-hidden />{t(`dlt.state.${state}`)}</span>;
}

/** A text with its values marked and numbered, and the place that is wrong. */
export function Marked({ text, values, fault, label }: { text: string; values: readonly Place[]; fault: Place | null; label: string }) {
    const t = useT();
    return (
        <div className="pre dlt-text" role="group" aria-label={label}>
            {piecesOf(text, values, fault).map((piece, i) => {
                if (piece.isFault)
                    return <mark key={i} className="dlt-fault" data-empty={piece.text === ''}><span className="unseen">{t('dlt.mark.fault')}</span>{piece.text === '' ? '▲' : visible(piece.text)}</mark>;
                return piece.value === 0 ? <Fragment key={i}>{piece.text}</Fragment> : <mark key={i} className="dlt-value"><span className="unseen">{t('dlt.mark.value', { number: piece.value })}</span>{piece.text}<sup aria-hidden>{piece.value}</sup></mark>;
            })}
        </div>
    );
}

/** A template as registered, its variables marked. */
export function TemplateText({ text, expected = null, label }: { text: string; expected?: Place | null; label: string }) {
    const shown = compared(text);
    return <Marked text={shown} values={tagsOf(shown)} fault={expected} label={label} />;
}

/** Why it is paused, and the way on; or the way to pause it. */
export function Pause({ of, isMine, isBusy, error, onPause }: { of: DltHeader | DltTemplate; isMine: boolean; isBusy: boolean; error: unknown; onPause: (reason: string | null) => void }) {
    const t = useT();
    const [isAsking, setAsking] = useState(false);
    const [reason, setReason] = useState('');
    if (of.paused_reason !== null)
        return (
            <div className="note stack" style={{ gap: 8 }} role="status">
                <div><strong>{t('dlt.paused')}</strong> <When at={of.paused_at} /><div>{of.paused_reason}</div></div>
                {error !== null && <Problem error={error} />}
                {isMine && <div><Button size="xs" loading={isBusy} onClick={() => { onPause(null); }}>{t('dlt.resume')}</Button></div>}
            </div>
        );
    if (!isMine)
        return null;
    return (
        <>
            <div><Button variant="default" size="xs" onClick={() => { setReason(''); setAsking(true); }}>{t('dlt.pause')}</Button></div>
            <Modal opened={isAsking} onClose={() => { setAsking(false); }} title={t('dlt.pause')} closeButtonProps={{ 'aria-label': t('close') }}>
                <form className="stack" onSubmit={(event) => { event.preventDefault(); if (reason.trim() !== '') { onPause(reason.trim()); setAsking(false); } }}>
                    <p style={{ margin: 0 }}>{t('dlt.pause.text')}</p>
                    <TextInput label={t('dlt.pause.reason')} value={reason} maxLength={200} data-autofocus onChange={(event) => { setReason(event.currentTarget.value); }} />
                    <Button type="submit" disabled={reason.trim() === ''}>{t('dlt.pause')}</Button>
                </form>
            </Modal>
            {error !== null && <Problem error={error} />}
        </>
    );
}
