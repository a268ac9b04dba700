import { Button, NumberInput, Select, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import type { Channel } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { isSender, senderKinds, type SenderKind } from './sender';

const rules = ['auto', 'refuse'] as const;
type Rule = (typeof rules)[number];

function Options({ unicode, partsMax, isMine, faults, onChange }: { unicode: Rule; partsMax: number | ''; isMine: boolean; faults: Record<string, string>; onChange: (part: { unicode?: Rule; partsMax?: number | '' }) => void }) {
    const t = useT();
    return (
        <>
            <Select label={t('sms.unicode')} description={t('sms.unicode.help')} allowDeselect={false} disabled={!isMine} value={unicode} error={faults['/sms/unicode']} data={rules.map((value) => ({ value, label: t(`sms.unicode.${value}`) }))} onChange={(value) => { onChange({ unicode: rules.find((each) => each === value) ?? unicode }); }} />
            <NumberInput label={t('sms.parts_max')} description={t('sms.parts_max.help')} min={1} max={255} clampBehavior="none" allowDecimal={false} allowNegative={false} disabled={!isMine} value={partsMax} error={isCount(partsMax) ? faults['/sms/parts_max'] : t('sms.bad.number', { least: 1, most: 255 })} onChange={(value) => { onChange({ partsMax: typeof value === 'number' ? value : '' }); }} />
        </>
    );
}

const isCount = (count: number | ''): count is number => count !== '' && count >= 1 && count <= 255;

/** A new sender of SMS. */
export function SenderConnect() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [name, setName] = useState('');
    const [kind, setKind] = useState<SenderKind>('alphanumeric');
    const [sender, setSender] = useState('');
    const [unicode, setUnicode] = useState<Rule>('auto');
    const [partsMax, setPartsMax] = useState<number | ''>(10);
    const [asked, setAsked] = useState(false);
    const digits = kind === 'alphanumeric' ? sender.trim() : sender.replaceAll(/^\+|[\s-]/g, '');
    const isWhole = name.trim() !== '' && isSender(kind, digits) && isCount(partsMax);
    const connect = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/channels', { body: { kind: 'sms', name: name.trim(), sms: { sender: digits, sender_kind: kind, unicode, parts_max: partsMax === '' ? 10 : partsMax } } })),
        onSuccess: async (channel) => { await client.invalidateQueries({ queryKey: keys.channels.all }); await navigate({ to: '/channels/$channelId', params: { channelId: channel.id } }); },
    });
    const faults = faultsByField(connect.error);
    return (
        <form className="form" noValidate autoComplete="off" onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) connect.mutate(); }}>
            {connect.isError && <Problem error={connect.error} />}
            <TextInput label={t('keys.name')} description={t('connect.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={asked && name.trim() === '' ? t('keys.name.missing') : faults['/name']} maxLength={120} />
            <Select label={t('sms.sender_kind')} description={t(`sms.kind.${kind}.help`)} allowDeselect={false} value={kind} error={faults['/sms/sender_kind']} data={senderKinds.map((value) => ({ value, label: t(`sms.kind.${value}`) }))} onChange={(value) => { setKind(senderKinds.find((each) => each === value) ?? kind); }} />
            <TextInput label={t('sms.sender')} description={t('sms.sender.help')} placeholder={{ alphanumeric: 'HRKARA', number: '919876543210', 'short-code': '56161' }[kind]} inputMode={kind === 'alphanumeric' ? 'text' : 'numeric'} spellCheck={false} value={sender} maxLength={20} error={asked && !isSender(kind, digits) ? t(`sms.kind.${kind}.bad`) : faults['/sms/sender']} onChange={(event) => { setSender(event.currentTarget.value); }} />
            <Options unicode={unicode} partsMax={partsMax} isMine faults={faults} onChange={(part) => { if (part.unicode !== undefined) setUnicode(part.unicode); if (part.partsMax !== undefined) setPartsMax(part.partsMax); }} />
            <div className="line"><Button type="submit" loading={connect.isPending}>{t('sms.sender.connect')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/channels' }); }}>{t('cancel')}</Button></div>
        </form>
    );
}

/** What may be changed of one: another sender is another channel. */
export function SenderOptions({ of, sms }: { of: Channel; sms: NonNullable<Channel['sms']> }) {
    const t = useT();
    const client = useQueryClient();
    const isMine = useMay()('channels:manage');
    const [unicode, setUnicode] = useState<Rule>(sms.unicode);
    const [partsMax, setPartsMax] = useState<number | ''>(sms.parts_max);
    const save = useMutation({
        mutationFn: (body: { unicode: Rule; parts_max: number }) => unwrap(api.PATCH('/v1/channels/{channel_id}', { params: { path: { channel_id: of.id } }, body: { sms: body } })),
        onSuccess: (now) => { client.setQueryData(keys.channels.one(of.id), now); say(t('settings.saved')); return client.invalidateQueries({ queryKey: keys.channels.all }); },
    });
    const isChanged = unicode !== sms.unicode || partsMax !== sms.parts_max;
    return (
        <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); if (isChanged && isCount(partsMax)) save.mutate({ unicode, parts_max: partsMax }); }}>
            {save.isError && <Problem error={save.error} />}
            <Options unicode={unicode} partsMax={partsMax} isMine={isMine} faults={faultsByField(save.error)} onChange={(part) => { if (part.unicode !== undefined) setUnicode(part.unicode); if (part.partsMax !== undefined) setPartsMax(part.partsMax); }} />
            {isMine && <div className="line"><Button type="submit" disabled={!isChanged || !isCount(partsMax)} loading={save.isPending}>{t('save')}</Button></div>}
        </form>
    );
}
