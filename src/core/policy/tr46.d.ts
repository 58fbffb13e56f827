declare module 'tr46' {
  interface Options {
    readonly checkBidi?: boolean;
    readonly checkJoiners?: boolean;
    readonly useSTD3ASCIIRules?: boolean;
    readonly transitionalProcessing?: boolean;
  }
  /** UTS 46 ToASCII; null when the name is not valid. */
  export function toASCII(name: string, options?: Options): string | null;
  /** UTS 46 ToUnicode. */
  export function toUnicode(name: string, options?: Options): { domain: string; error: boolean };
}
