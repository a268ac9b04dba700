import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconFingerprint } from '@tabler/icons-react';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem } from '@/components/basics';
import { CameBack, Providers } from '@/features/sign-in/federated';
import { hasPasskeys, isDismissed, signInWithPasskey } from '@/features/sign-in/passkey';
import { useLanguage } from '@/i18n/i18n';

const route = getRouteApi('/sign-in');

export default function SignIn() {
    const { t, locale, setLocale } = useLanguage();
    const { to = '/', why, problem } = route.useSearch();
    const router = useRouter();
    const client = useQueryClient();
    const waiting = useRef<AbortController | null>(null);
    const enter = async () => {
        await client.resetQueries({ queryKey: keys.session });
        await router.invalidate();
        router.history.push(to);
    };
    const passkey = useMutation({
        mutationFn: async () => {
            waiting.current?.abort();
            await signInWithPasskey(new AbortController().signal, false);
        },
        onSuccess: enter,
    });
    /* The browser offers passkeys in its own list while the page is open. */
    useEffect(() => {
        const controller = new AbortController();
        waiting.current = controller;
        const offer = async () => {
            if (hasPasskeys && await PublicKeyCredential.isConditionalMediationAvailable()) {
                await signInWithPasskey(controller.signal, true);
                await enter();
            }
        };
        void offer().catch(() => undefined); /* nobody asked for it: the button tells what is wrong */
        return () => { controller.abort(); };
        // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each visit
    }, []);

    const error = passkey.error;
    return (
        <main className="door">
            <div className="door-card stack" style={{ gap: 20 }}>
                <div className="stack" style={{ gap: 12 }}>
                    <img src="/favicon.svg" width={40} height={40} alt="" />
                    <div>
                        <h1 style={{ margin: 0 }}>{t('signin.title')}</h1>
                        <p className="quiet" style={{ margin: '4px 0 0' }}>{t(why === 'ended' ? 'signin.ended' : 'signin.text')}</p>
                    </div>
                </div>
                {problem !== undefined && error === null && <CameBack problem={problem} />}
                {error !== null && (isDismissed(error) ? <p className="note" role="alert" style={{ margin: 0 }}>{t('signin.dismissed')}</p> : <Problem error={error} />)}
                {hasPasskeys
                    ? <Button size="md" leftSection={<IconFingerprint size={18} aria-hidden />} loading={passkey.isPending} onClick={() => { passkey.mutate(); }} fullWidth>{t('signin.passkey')}</Button>
                    : <p className="note" style={{ margin: 0 }}>{t('signin.no_passkeys')}</p>}
                <Providers begin={async (provider_id) => (await unwrap(api.POST('/v1/session/federated', { body: { provider_id } }))).authorization_url} />
                <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('signin.help')}</p>
                <div><Button variant="subtle" color="gray" size="compact-sm" lang={locale === 'en' ? 'hi' : 'en'} onClick={() => { setLocale(locale === 'en' ? 'hi' : 'en'); }}>{locale === 'en' ? 'हिन्दी' : 'English'}</Button></div>
            </div>
        </main>
    );
}
