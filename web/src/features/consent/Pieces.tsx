import { Button } from '@mantine/core';
import { useTimeout } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconEye, IconEyeOff } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { Consent } from '@/api/types';
import { useMay } from '@/app/session';
import { everybodyQuery } from '@/features/team/queries';
import { useT } from '@/i18n/i18n';
import { channelNames, maskOf } from './filter';

const SHOWN_MS = 120_000;

/** Whether whole numbers are asked for. They hide again by themselves, and when the page is left. */
export function useReveal(): { isRevealed: boolean; mayReveal: boolean; toggle: () => void } {
    const mayReveal = useMay()('contact.identity.reveal');
    const [isRevealed, setRevealed] = useState(false);
    const { start, clear } = useTimeout(() => { setRevealed(false); }, SHOWN_MS);
    useEffect(() => { if (isRevealed) start(); else clear(); }, [isRevealed, start, clear]);
    return { isRevealed: isRevealed && mayReveal, mayReveal, toggle: () => { setRevealed(!isRevealed); } };
}

export function RevealButton({ isRevealed, mayReveal, toggle }: ReturnType<typeof useReveal>) {
    const t = useT();
    if (!mayReveal)
        return null;
    return <Button variant="subtle" color="gray" size="compact-sm" aria-pressed={isRevealed} leftSection={isRevealed ? <IconEyeOff size={15} aria-hidden /> : <IconEye size={15} aria-hidden />} onClick={toggle}>{t(isRevealed ? 'consent.hide' : 'consent.reveal')}</Button>;
}

export function RevealNote({ isRevealed }: { isRevealed: boolean }) {
    const t = useT();
    return isRevealed ? <p className="note" role="status" style={{ margin: '0 0 12px' }}>{t('consent.revealed')}</p> : null;
}

export function Address({ address }: { address: string | null }) {
    const t = useT();
    return address === null ? <span className="quiet">{t('consent.number.erased')}</span> : <span className="number cut">{maskOf(address)}</span>;
}

export function Kind({ of }: { of: 'any' | keyof typeof channelNames }) {
    const t = useT();
    return <>{of === 'any' ? t('consent.channel.any') : channelNames[of]}</>;
}

/** Purposes that are categories have words; a workspace's own is its word. */
export function Purpose({ of }: { of: string }) {
    const t = useT();
    return <>{of === 'promotional' || of === 'service' || of === 'transactional' || of === 'otp' ? t(`category.${of}`) : <span className="mono">{of}</span>}</>;
}

/** Who recorded it: by name, where whoever looks may see people. */
export function By({ by }: { by: Consent['recorded_by'] }) {
    const t = useT();
    const maySee = useMay()('people:read') && by.kind === 'person';
    const everybody = useQuery({ ...everybodyQuery, enabled: maySee });
    const name = maySee ? everybody.data?.find((each) => each.person_id === by.id)?.name : undefined;
    return <>{name ?? t(`consent.by.${by.kind}`)}</>;
}
