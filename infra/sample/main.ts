/** `npm run sample -- remove | status`. */
import { Command } from 'commander'
import { createProgress, runCommand } from './command.ts'
import { removeSamples, sampleStatus } from './remove.ts'

const program = new Command('npm run sample --').description('The samples that npm start and npm run replay bring in.')

program
  .command('remove')
  .description('stops the live sample stream and voids every dossier of a sample; nothing is deleted')
  .action(() =>
    runCommand(async deps => {
      const progress = createProgress()
      const report = await removeSamples({ ...deps, onProgress: progress.show })
      progress.end()
      for (const line of report.lines) deps.log(line)
      return 0
    }),
  )

program
  .command('status')
  .description('says which samples stand')
  .action(() =>
    runCommand(async deps => {
      for (const line of await sampleStatus(deps)) deps.log(line)
      return 0
    }),
  )

await program.parseAsync()
