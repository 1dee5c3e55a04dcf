/** This software's version, as logs, entries and `--version` say it. Must equal package.json's (a test holds them together). */
export const VERSION = '0.1.0'
