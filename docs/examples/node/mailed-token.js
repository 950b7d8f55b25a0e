// The token of a mail, as the person would take it from there. Only for development, where mails are files: in a
// product the mail's link leads to a page of yours (VERIFY_EMAIL_URL), which calls finishEmailVerification with it.

import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const FOLDER = process.env.MAIL_FOLDER ?? fileURLToPath(new URL("../../../.tenantry/mail", import.meta.url));

/** Waits for the mail: it is written a moment after the sign-up was answered. */
export async function mailedToken(email) {
  for (let tries = 0; tries < 200; tries += 1) {
    const mails = await readdir(FOLDER).catch(() => []); // the first mail makes the folder
    const name = mails.filter((each) => each.endsWith(`-${email}.eml`)).sort().at(-1);
    if (name) {
      const text = await readFile(path.join(FOLDER, name), "utf8");
      return text.match(/Your code: ([\w-]{43})/)[1];
    }
    await pause(50);
  }
  throw new Error(`no mail for ${email} came to ${FOLDER}`);
}
