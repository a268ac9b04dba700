import { Button, Modal, Select, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { addressOf, channelNames, suppressedKinds } from './filter';

const scopes = ['all', 'promotional'] as const;
const byHand = ['manual', 'complaint'] as const;

function Fields({ onClose }: { onClose: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [number, setNumber] = useState('');
    const [channel, setChannel] = useState<typeof suppressedKinds[number]>('any');
    const [scope, setScope] = useState<typeof scopes[number]>('all');
    const [reason, setReason] = useState<typeof byHand[number]>('manual');
    const [asked, setAsked] = useState(false);
    const address = addressOf(number);
    const add = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/suppressions', { body: { address: address ?? '', channel, scope, reason } })),
        onSuccess: () => { say(t('consent.suppression.added')); onClose(); return client.invalidateQueries({ queryKey: keys.consents.all }); },
    });
    return (
        <form className="stack" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (address !== null) add.mutate(); }}>
            <p style={{ margin: 0 }}>{t('consent.suppression.add.text')}</p>
            {add.isError && <Problem error={add.error} />}
            <TextInput label={t('consent.number')} description={t('consent.number.help')} type="tel" autoComplete="off" value={number} error={asked && address === null ? t('consent.number.fault') : undefined} onChange={(event) => { setNumber(event.currentTarget.value); }} data-autofocus />
            <Select label={t('consent.suppression.scope')} allowDeselect={false} value={scope} data={scopes.map((value) => ({ value, label: t(`consent.suppression.scope.${value}`) }))} onChange={(value) => { setScope(scopes.find((each) => each === value) ?? scope); }} />
            <Select label={t('consent.channel')} allowDeselect={false} value={channel} data={suppressedKinds.map((value) => ({ value, label: value === 'any' ? t('consent.channel.any') : channelNames[value] }))} onChange={(value) => { setChannel(suppressedKinds.find((each) => each === value) ?? channel); }} />
            <Select label={t('consent.suppression.reason')} description={reason === 'complaint' ? t('consent.suppression.add.complaint') : undefined} allowDeselect={false} value={reason} data={byHand.map((value) => ({ value, label: t(`consent.suppression.reason.${value}`) }))} onChange={(value) => { setReason(byHand.find((each) => each === value) ?? reason); }} />
            <div className="line"><Button type="submit" loading={add.isPending}>{t('consent.suppression.add')}</Button><Button variant="subtle" color="gray" onClick={onClose}>{t('cancel')}</Button></div>
        </form>
    );
}

/** Puts a number on the list. */
export function SuppressionAdd({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
    const t = useT();
    return <Modal opened={isOpen} onClose={onClose} title={t('consent.suppression.add')} closeButtonProps={{ 'aria-label': t('close') }}><Fields onClose={onClose} /></Modal>;
}
