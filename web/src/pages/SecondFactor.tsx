import { Button, TextInput } from '@mantine/core';
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { IconDeviceMobile, IconFingerprint } from '@tabler/icons-react';
import { useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import { api, setCsrfToken, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { sessionQuery } from '@/api/session';
import { Problem, QuietButton } from '@/components/basics';
import { TotpSetUp } from '@/features/security/Totp';
import { link } from '@/features/sign-in/federated';
import { addPasskey, hasPasskeys, isDismissed } from '@/features/sign-in/passkey';
import { ByCode, ByPasskey } from '@/features/sign-in/StepUp';
import { useT } from '@/i18n/i18n';

type Way = 'passkey' | 'totp' | 'recovery';
const ways: Record<string, Way> = { passkey: 'passkey', totp: 'totp', recovery_code: 'recovery' };

/** Between a provider and the workspace: what a provider says alone lets nobody in. */
export default function SecondFactor() {
    const t = useT();
    const router = useRouter();
    const client = useQueryClient();
    const { data: session } = useSuspenseQuery(sessionQuery);
    const [first] = useState(session.second_factor); /* once it is shown the session says null */
    const isNew = first?.state === 'missing';
    const enter = useMutation({
        mutationFn: async () => {
            const now = await unwrap(api.GET('/v1/session')); /* with the factor it has another token */
            setCsrfToken(now.csrf_token);
            const token = link.get();
            link.drop();
            /* Who came by a link, and is here already, opens it as who they are. */
            if (token !== null && !isNew)
                await unwrap(api.POST('/v1/enrolment/accept', { body: { token } }));
        },
        onSettled: async (_, error) => {
            if (error !== null)
                return;
            await client.resetQueries({ queryKey: keys.session });
            await router.invalidate();
            router.history.replace('/');
        },
    });
    const leave = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/session')),
        onSuccess: async () => { link.drop(); setCsrfToken(null); client.clear(); await router.navigate({ to: '/sign-in' }); },
    });
    return (
        <main className="door">
            <div className="door-card stack" style={{ gap: 20 }}>
                <img src="/favicon.svg" width={40} height={40} alt="" />
                <div>
                    <h1 style={{ margin: 0 }}>{t(isNew ? 'second.title.new' : 'second.title')}</h1>
                    <p className="quiet" style={{ margin: '4px 0 0' }}>{t(isNew ? 'second.text.new' : 'second.text', { name: session.person.name })}</p>
                </div>
                {enter.isError && <Problem error={enter.error} />}
                {enter.isError ? <Button variant="default" onClick={() => { enter.mutate(); }}>{t('second.enter')}</Button>
                    : isNew ? <SetUp name={session.person.name} onDone={() => { enter.mutate(); }} />
                        : <Show available={first?.available ?? []} onShown={() => { enter.mutate(); }} />}
                <div><QuietButton onClick={() => { leave.mutate(); }}>{t('second.leave')}</QuietButton></div>
            </div>
        </main>
    );
}

function Show({ available, onShown }: { available: string[]; onShown: () => void }) {
    const t = useT();
    const mine = available.map((word) => ways[word]).filter((way): way is Way => way !== undefined && (way !== 'passkey' || hasPasskeys));
    const [chosen, setChosen] = useState<Way | null>(null);
    const way = chosen ?? mine[0];
    return (
        <div className="stack">
            {way === undefined && <p className="note" style={{ margin: 0 }}>{t('signin.no_passkeys')}</p>}
            {way === 'passkey' && <ByPasskey onShown={onShown} />}
            {way === 'totp' && <ByCode key="totp" way="totp" onShown={onShown} />}
            {way === 'recovery' && <ByCode key="recovery" way="recovery" onShown={onShown} />}
            {mine.length > 1 && <div className="line" style={{ gap: 16 }}>{mine.filter((each) => each !== way).map((each) => <QuietButton key={each} onClick={() => { setChosen(each); }}>{t(`stepup.by.${each}`)}</QuietButton>)}</div>}
        </div>
    );
}

/** A provider knows an address, not what colleagues call somebody: that is asked here, too. */
function SetUp({ name: said, onDone }: { name: string; onDone: () => void }) {
    const t = useT();
    const [name, setName] = useState(said);
    const rename = async () => {
        if (name.trim() !== said)
            await unwrap(api.PATCH('/v1/me', { body: { name: name.trim() } }));
    };
    const passkey = useMutation({ mutationFn: async () => { await rename(); await addPasskey(t('second.passkey.name')); }, onSuccess: onDone });
    const totp = useMutation({ mutationFn: async () => { await rename(); return unwrap(api.POST('/v1/me/totp')); } });
    const error = passkey.error ?? totp.error;
    if (totp.data !== undefined)
        return <TotpSetUp secret={totp.data} onDone={onDone} />;
    return (
        <div className="stack">
            {error !== null && (isDismissed(error) ? <p className="note" role="alert" style={{ margin: 0 }}>{t('passkeys.add.dismissed')}</p> : <Problem error={error} />)}
            <TextInput label={t('enrol.name')} description={t('enrol.name.help')} autoComplete="name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} maxLength={100} />
            <Button size="md" fullWidth leftSection={<IconFingerprint size={18} aria-hidden />} loading={passkey.isPending} disabled={!hasPasskeys || name.trim() === '' || totp.isPending} onClick={() => { passkey.mutate(); }}>{t('second.passkey')}</Button>
            <Button size="md" fullWidth variant="default" leftSection={<IconDeviceMobile size={18} aria-hidden />} loading={totp.isPending} disabled={name.trim() === '' || passkey.isPending} onClick={() => { totp.mutate(); }}>{t('second.totp')}</Button>
            {!hasPasskeys && <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('signin.no_passkeys')}</p>}
        </div>
    );
}
