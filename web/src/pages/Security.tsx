import { Page } from '@/components/basics';
import { Identities } from '@/features/security/Identities';
import { Passkeys } from '@/features/security/Passkeys';
import { Profile } from '@/features/security/Profile';
import { RecoveryCodes } from '@/features/security/RecoveryCodes';
import { Sessions } from '@/features/security/Sessions';
import { Totp } from '@/features/security/Totp';
import { useT } from '@/i18n/i18n';

/** A person's own account: the same in every workspace. */
export default function Security() {
    const t = useT();
    return (
        <Page title={t('nav.security')} purpose={t('security.purpose')}>
            <div className="account">
                <Passkeys />
                <Identities />
                <Totp />
                <RecoveryCodes />
                <Sessions />
                <Profile />
            </div>
        </Page>
    );
}
