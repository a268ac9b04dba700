// @ts-check
/** How Kannel is set up beside Harkara: as it is installed, with what both sides have alike; README.md says what is not alike. */

/**
 * The configuration of bearerbox and smsbox. @param {{folder: string, adminPort: number, boxPort: number, sendPort: number, operatorPort: number, account: string, password: string, links: number, window: number}} options
 */
export function kannelConfig({ folder, adminPort, boxPort, sendPort, operatorPort, account, password, links, window }) {
    const groups = [
        { group: 'core', 'admin-port': adminPort, 'admin-interface': '127.0.0.1', 'admin-password': password, 'smsbox-port': boxPort, 'smsbox-interface': '127.0.0.1', 'box-allow-ip': '127.0.0.1',
            'log-file': `${folder}/bearerbox.log`, 'log-level': 4, 'store-type': 'file', 'store-location': `${folder}/store/queue` },
        { group: 'smsc', smsc: 'smpp', 'smsc-id': 'operator', host: '127.0.0.1', port: operatorPort, 'smsc-username': account, 'smsc-password': password, 'system-type': '""', 'transceiver-mode': 'true',
            'enquire-link-interval': 30, 'source-addr-autodetect': 'true', 'dest-addr-ton': 1, 'dest-addr-npi': 1, 'max-pending-submits': window, instances: links, 'reconnect-delay': 1 },
        { group: 'smsbox', 'bearerbox-host': '127.0.0.1', 'sendsms-port': sendPort, 'sendsms-interface': '127.0.0.1', 'log-file': `${folder}/smsbox.log`, 'log-level': 4 },
        { group: 'sendsms-user', username: account, password, 'max-messages': 10, concatenation: 'true' },
    ];
    return groups.map((group) => Object.entries(group).map(([name, value]) => `${name} = ${value}\n`).join('')).join('\n');
}
