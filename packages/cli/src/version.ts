/** The release of CodaLab whose command line this one understands; scripts read it, and servers report the same. */
export const compatibleVersion = '1.7.3';
export const versionLine = `CodaLab CLI version ${compatibleVersion} (Sheaf)`;
