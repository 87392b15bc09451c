/**
 * A speech to try the page with: Abraham Lincoln at Gettysburg, 19 November 1863 (the Bliss copy). The
 * captions' times are those of an unhurried reading.
 */
export const sample = {
  title: 'The Gettysburg Address',
  text: `WEBVTT

00:00.000 --> 00:14.000
Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and dedicated to the proposition that all men are created equal.

00:15.500 --> 00:27.000
Now we are engaged in a great civil war, testing whether that nation, or any nation so conceived and so dedicated, can long endure.

00:27.500 --> 00:31.500
We are met on a great battle-field of that war.

00:32.000 --> 00:43.000
We have come to dedicate a portion of that field, as a final resting place for those who here gave their lives that that nation might live.

00:43.500 --> 00:49.000
It is altogether fitting and proper that we should do this.

00:50.500 --> 01:00.500
But, in a larger sense, we can not dedicate—we can not consecrate—we can not hallow—this ground.

01:01.000 --> 01:11.500
The brave men, living and dead, who struggled here, have consecrated it, far above our poor power to add or detract.

01:12.000 --> 01:22.500
The world will little note, nor long remember what we say here, but it can never forget what they did here.

01:23.000 --> 01:34.500
It is for us the living, rather, to be dedicated here to the unfinished work which they who fought here have thus far so nobly advanced.

01:35.000 --> 02:15.000
It is rather for us to be here dedicated to the great task remaining before us—that from these honored dead we take increased devotion to that cause for which they gave the last full measure of devotion—that we here highly resolve that these dead shall not have died in vain—that this nation, under God, shall have a new birth of freedom—and that government of the people, by the people, for the people, shall not perish from the earth.
`,
};
